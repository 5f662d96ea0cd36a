import Datasets
import Foundation
import Graph
import JobFile
import Nodes
import Passes
import PostTraining
import Quantization
import Reports
import Simulation
import Tensors

/// Takes the layers one after the other, in the order of the graph, and chooses their parameters anew: each by what the samples
/// show in front of it when all layers before it are as they will be. One pass for each layer, so a resumed job goes on at the
/// layer where it was.
struct ReconstructionStage {
    /// Inputs of an output; the moments of more would not fit into memory beside a model.
    private static let inputLimit = 5000

    private let runner: PassRunner
    private let techniques: Set<LayerTechnique>

    /// - Returns: nil where the job has none of these techniques.
    init?(_ runner: PassRunner) {
        techniques = runner.job.layerTechniques
        guard !techniques.isEmpty else { return nil }
        self.runner = runner
    }

    /// - Parameter model: calibrated.
    /// - Returns: the model with the layers' new parameters and their encodings, and the stage for the report.
    func run(_ model: QuantizedModel, over source: DatasetSource) throws -> (model: QuantizedModel, stage: Report.Stage)
    {
        var (current, layers, left) = (model, [Change](), [String]())
        var (samples, skipped, seconds) = (0, 0, 0.0)
        let nodes = model.preparation.graph.nodes.filter { node in
            node.inputs.count > 1 && model.preparation.parameterEncodings[node.inputs[1]] != nil
        }
        for (index, node) in nodes.enumerated() {
            let graph = current.preparation.graph
            if let reason = refusal(of: node, in: graph) {
                left.append("\(node.name) (\(reason))")
                continue
            }
            guard let layer = ProductLayer(node, in: graph), let weight = graph.constants[layer.weight] else {
                continue
            }
            let grid = current.activations[layer.input]?.encodings.first
            let units = MomentUnits(layer, weight, largest: grid.map { max(-$0.min, $0.max) })
            let pass = LayerMoments(
                current.quantizedEvaluation(runner.job), with: model.artifact.bytes, of: node.name, in: units)
            let (result, time) = try runner.run(
                pass, over: source, named: "reconstruct layer \(index + 1) of \(nodes.count), \(node.name)")
            (samples, skipped, seconds) = (result.samples, result.skipped, seconds + time)
            let start = ContinuousClock.now
            guard let change = try change(of: layer, result, units, current.preparation) else {
                left.append("\(node.name) (encodings of blocks, or none)")
                continue
            }
            layers.append(change)
            current = current.replaced(
                by: try current.preparation.replacing(change.constants, encodings: change.encodings),
                current.activations, on: runner.coordinator)
            seconds += (ContinuousClock.now - start) / .seconds(1)
            runner.progress.end(note: change.line)
        }
        var notes = layers.map { "\($0.name): \($0.line)" }
        if !left.isEmpty { notes.append("left as they are: \(left.joined(separator: ", "))") }
        if let last = notes.last, !left.isEmpty { runner.progress.message(last) }
        let stage = Report.Stage(
            "reconstruct", kind: .reconstruction, samples: samples, skipped: skipped, seconds: seconds)
        return (current, stage.noting(notes))
    }

    /// What has come of a layer.
    private struct Change {
        var name: String
        var before: Double
        var after: Double
        var constants: [(name: String, tensor: Tensor)]
        var encodings: [String: TensorEncodings]

        var line: String { String(format: "SQNR of the output %.1f dB, before %.1f dB", after, before) }
    }

    private func change(
        of layer: ProductLayer, _ result: LayerMomentsResult, _ units: MomentUnits, _ preparation: ModelPreparation
    ) throws -> Change? {
        let graph = preparation.graph
        guard let weight = graph.constants[layer.weight], let encodings = preparation.parameterEncodings[layer.weight],
            let quantizer = preparation.placement.parameters.first(where: { $0.tensor == layer.weight })
        else { return nil }
        guard let averages = result.averages else {
            throw runner.job.error(
                .outOfRange, key: "dataset.calibration", expected: "at least one sample that can be read",
                found: result.badNames.sentence(of: result.skipped) ?? "none")
        }
        let bias = layer.bias.flatMap { graph.constants[$0]?.elements(as: Float.self) }
        // Ranges that the user gave are not searched.
        let own = quantizer.given == nil ? techniques : techniques.subtracting([.sequentialMSE])
        guard
            let made = layer.reconstructed(
                weight, bias: bias, encodings, settings: quantizer.settings, by: own,
                MomentsLayout(layer).moments(averages, bias: bias, units: units))
        else { return nil }
        var constants = [(name: layer.weight, tensor: made.weight)]
        if let name = layer.bias, let bias = made.bias {
            constants.append((name, Tensor(shape: [bias.count], bias)))
        }
        return Change(
            name: layer.node.name, before: made.before, after: made.after, constants: constants,
            encodings: [layer.weight: made.encodings])
    }

    /// Why a node with a quantized parameter is left as it is.
    private func refusal(of node: Node, in graph: Graph) -> String? {
        guard let layer = ProductLayer(node, in: graph) else { return "a \(node.opType) of this form" }
        for name in [layer.weight, layer.bias].compactMap(\.self)
        where graph.isOutput(name) || graph.nodes.count(where: { $0.uses.contains(name) }) > 1 {
            return "\(name) is used by others too"
        }
        if techniques == [.biasCorrection], !layer.takesBias { return "a \(node.opType), which has no bias" }
        return layer.inputs > Self.inputLimit ? "\(layer.inputs) inputs of an output" : nil
    }
}

extension JobFile {
    /// The techniques of `post_training` that go by a layer's inputs.
    var layerTechniques: Set<LayerTechnique> {
        Set(
            postTraining.compactMap { stage in
                switch stage {
                case .sequentialMSE: .sequentialMSE
                case .adaptiveRounding: .adaptiveRounding
                case .biasCorrection: .biasCorrection
                case .foldBatchNorms, .crossLayerEqualization: nil
                }
            })
    }
}
