import Graph
import JobFile
import Passes
import Quantization
import Simulation

extension JobFile {
    /// Where the job wants quantizers, and what it took of encodings files.
    /// - Parameter own: what the model came with.
    /// - Throws: `JobError(.conflictingKeys)` where the job keeps the batch norms of a model that came with encodings.
    package func placement(
        on graph: Graph, own: [String: TensorEncodings] = [:]
    ) throws -> (placement: QuantizerPlacement, taken: [EncodingsTaken]) {
        let config = try quantization.config.config { url(for: $0) }
        func place(_ graph: Graph) throws -> QuantizerPlacement {
            let schemes = quantization.schemes
            return try QuantizerPlacement(
                graph: graph, config: config, activationBitwidth: quantization.activationBitwidth,
                parameterBitwidth: quantization.parameterBitwidth, activationScheme: schemes.activations,
                parameterScheme: schemes.parameters)
        }
        return try locatingRules {
            func refine(_ placement: QuantizerPlacement, _ graph: Graph) throws -> QuantizerPlacement {
                try placement.overridden(by: quantization.overrides ?? [], in: graph)
            }
            if training?.batchNorms == .kept {
                guard own.isEmpty else {
                    throw error(
                        .conflictingKeys, key: "training.batch_norms",
                        expected: "a model without QuantizeLinear and DequantizeLinear nodes, to keep its batch norms",
                        found: "encodings of \(own.count) tensors in the model")
                }
                return (try KeptBatchNorms.placement(on: graph, place, refine: refine), [])
            }
            var placement = try refine(place(graph), graph)
            var taken: [EncodingsTaken] = []
            if !own.isEmpty {
                let outcome: EncodingsTaken
                (placement, outcome) = try placement.taking(own: own, in: graph)
                taken.append(outcome)
            }
            for (index, source) in try encodingsSources().enumerated() {
                let outcome: EncodingsTaken
                (placement, outcome) = try placement.taking(source, at: "encodings[\(index)]", in: graph)
                taken.append(outcome)
            }
            return (placement, taken)
        }
    }

    /// - Throws: `JobError(.conflictingKeys)` where the job asks for a file that has no room for what it asks for.
    func checkVersions(of placement: QuantizerPlacement) throws {
        guard export.encodings.contains(.v0_6_1),
            let parameter = placement.parameters.first(where: { $0.enabled && $0.blocks != nil })
        else { return }
        throw error(
            .conflictingKeys, key: "export.encodings", expected: "1.0.0 or 2.0.0, which have blocks",
            found: "0.6.1 and blocks of \(parameter.tensor)")
    }

    /// - Throws: `JobError(.conflictingKeys)` where the job keeps batch norms, and the graph has none to keep.
    func checkBatchNorms(of graph: Graph) throws {
        guard training?.batchNorms == .kept, graph.normalizations.isEmpty else { return }
        throw error(
            .conflictingKeys, key: "training.batch_norms", expected: "a model with batch norms to keep", found: "none")
    }
}

extension EncodingsTaken {
    /// For people, before the job begins.
    var text: String {
        func list(_ names: [String], _ what: String) -> String {
            guard !names.isEmpty else { return "" }
            let shown = names.prefix(3).joined(separator: ", ")
            return ", \(names.count) \(what) (\(shown)\(names.count > 3 ? ", ..." : ""))"
        }
        return "encodings of \(name): \(taken.count) taken\(isFrozen ? " and frozen" : "")"
            + list(withoutQuantizer, "without a quantizer in the model") + list(overridden, "overridden")
    }
}
