import Foundation
import Graph
import JobFile
import Jobs
import ONNX
import PostTraining
import Quantization
import Simulation
import Support

extension Inspection {
    /// `quantsim inspect MODEL --config …` or `--job …`: where every quantizer stands, and which rule put it there or took it
    /// away.
    /// - Throws: the reading error of the model, the config file, the job file or a file that it names; `SimulationError`
    ///   where rules contradict each other, or `unknownTensor` for a tensor that has no quantizer.
    public static func describePlacement(_ options: PlacementInspectionOptions) throws -> String {
        let placement: QuantizerPlacement
        var equalization: [String] = []
        switch options.rules {
        case .config(let config): placement = try self.placement(of: options.model, under: config)
        case .job(let path):
            let job = try JobFile.read(path)
            let (graph, own) = try attributingErrors(to: options.model.path) {
                let whole = try job.wholeGraph(ImportedModel(ONNXFile.read(options.model)))
                equalization = whole.equalization?.outcome.lines ?? []
                return (try job.withoutLoss(whole.graph), whole.encodings)
            }
            placement = try job.placement(on: graph, own: own).placement
        }
        if let tensor = options.tensor { return try describe(tensor, in: placement) }
        return equalization.map { "\($0)\n" }.joined() + (equalization.isEmpty ? "" : "\n") + describe(placement)
    }

    private static func placement(
        of model: URL, under config: PlacementInspectionOptions.Config
    ) throws -> QuantizerPlacement {
        let rules = try JobFile.ConfigSource(config.name).config { URL(fileURLWithPath: $0) }
        var (graph, own) = try attributingErrors(to: model.path) {
            let imported = QDQImport(try Graph(importing: ONNXFile.read(model)))
            return (try imported.graph.foldingConstants(), imported.encodings)
        }
        if config.foldsBatchNorms { graph = BatchNormFolding.fold(graph, keeping: Set(own.keys)).graph }
        return try QuantizerPlacement(
            graph: graph, config: rules, activationBitwidth: config.activationBitwidth,
            parameterBitwidth: config.parameterBitwidth, activationScheme: .tf, parameterScheme: .tf
        ).taking(own: own, in: graph).placement
    }

    private static func describe(_ placement: QuantizerPlacement) -> String {
        [("activations", placement.activations), ("parameters", placement.parameters)].map { title, quantizers in
            var table = TextTable([
                .init("tensor"), .init("quantized"), .init("bits", .right), .init("grid"), .init("range"),
                .init("channel axis", .right), .init("shares with"), .init("because of"), .init("at node"),
            ])
            for quantizer in quantizers {
                let reason = placement.steps[quantizer.tensor]?.last { $0.change == .enabled(quantizer.enabled) }
                table.append(
                    cells(of: quantizer) + [reason?.rule ?? "nothing enables it", reason?.node ?? ""])
            }
            let enabled = quantizers.count(where: \.enabled)
            return "\(title): \(enabled) of \(quantizers.count) quantized\n\n\(table.text)"
        }.joined(separator: "\n")
    }

    private static func cells(of quantizer: PlacedQuantizer) -> [String] {
        guard quantizer.enabled else { return [quantizer.tensor, "no", "", "", "", "", ""] }
        let isShared = quantizer.group != quantizer.tensor
        let isFloat = quantizer.settings.dataType == .float16
        return [
            quantizer.tensor, "yes", isFloat ? "16" : "\(quantizer.settings.bitwidth)",
            isFloat ? quantizer.settings.dataType.rawValue : grid(quantizer.settings),
            quantizer.given.map(text) ?? quantizer.constraints.map(range) ?? "",
            isFloat ? "" : channels(of: quantizer),
            isShared ? quantizer.group : "",
        ]
    }

    private static func channels(of quantizer: PlacedQuantizer) -> String {
        guard let axis = quantizer.channelAxis else { return "" }
        return "\(axis)" + (quantizer.blocks.map { ", \(text($0))" } ?? "")
    }

    private static func text(_ blocks: Blocks) -> String {
        "blocks of \(blocks.size)" + (blocks.axis.map { " along axis \($0)" } ?? "")
    }

    private static func grid(_ settings: QuantizerSettings) -> String {
        guard settings.symmetric else { return "asymmetric" }
        if settings.strictSymmetric { return "strict symmetric" }
        return settings.unsignedSymmetric ? "unsigned symmetric" : "symmetric"
    }

    private static func text(_ given: PlacedQuantizer.GivenEncodings) -> String {
        given.isFrozen ? "of a file, frozen" : "of a file"
    }

    private static func range(_ constraints: EncodingConstraints) -> String {
        "\(constraints.min) to \(constraints.max.map { "\($0)" } ?? "observed")"
    }

    /// Everything that was done to one quantizer, in order.
    private static func describe(_ tensor: String, in placement: QuantizerPlacement) throws -> String {
        guard let quantizer = (placement.activations + placement.parameters).first(where: { $0.tensor == tensor })
        else {
            throw SimulationError(.unknownTensor, tensor: tensor)
        }
        var table = TextTable([.init("change"), .init("because of"), .init("at node")])
        for step in placement.steps[tensor] ?? [] { table.append([text(step.change), step.rule, step.node ?? ""]) }
        let outcome = cells(of: quantizer).dropFirst(2).filter { !$0.isEmpty }.joined(separator: ", ")
        return """
            \(quantizer.role.rawValue) \(tensor): \(quantizer.enabled ? "quantized, \(outcome)" : "not quantized")

            \(table.text)
            """
    }

    private static func text(_ change: PlacementStep.Change) -> String {
        switch change {
        case .enabled(let enabled): enabled ? "quantized" : "not quantized"
        case .symmetric(let symmetric): symmetric ? "symmetric" : "asymmetric"
        case .bitwidth(let bitwidth): "\(bitwidth) bits"
        case .constraints(let constraints): "range \(constraints.map(range) ?? "observed")"
        case .channelAxis(let axis): axis.map { "one encoding per index of axis \($0)" } ?? "one encoding"
        case .shared(let owner): "shares the quantizer of \(owner)"
        case .strictSymmetric(let strict): strict ? "strict symmetric" : "not strict symmetric"
        case .unsignedSymmetric(let unsigned): unsigned ? "unsigned symmetric" : "not unsigned symmetric"
        case .dataType(let dataType): dataType == .float16 ? "half precision" : "integers"
        case .blocks(let blocks): blocks.map(text) ?? "no blocks"
        case .scheme(let scheme): "scheme \(scheme.name.rawValue)"
        case .given(let encodings, let frozen):
            "range " + text(PlacedQuantizer.GivenEncodings(encodings, isFrozen: frozen))
        }
    }
}
