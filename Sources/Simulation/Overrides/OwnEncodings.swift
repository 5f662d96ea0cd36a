import Graph
import Quantization

extension QuantizerPlacement {
    /// The placement with the encodings that the model itself says (`QDQImport`), which training does not move. A quantizer that
    /// takes one is its tensor's own from then on; others go on sharing theirs.
    /// - Parameters:
    ///   - encodings: by tensor; of constants with the axis of the node.
    ///   - graph: the one that the quantizers are placed on.
    /// - Throws: as `taking(_:at:in:)`, where encodings do not fit their tensors.
    public func taking(
        own encodings: [String: TensorEncodings], in graph: Graph
    ) throws -> (placement: QuantizerPlacement, outcome: EncodingsTaken) {
        let name = "the model's quantize nodes"
        let layers = PlacementGraph(graph)
        let known = Set((activations + parameters).map(\.tensor))
        var taken = encodings.filter { known.contains($0.key) }
        var others: [String] = []
        for (tensor, own) in encodings.sorted(by: { $0.key < $1.key }) where !known.contains(tensor) {
            // What only moved values are on is the grid of the values, where these have none of their own.
            let source = layers.gridSource(of: tensor) { known.contains($0) ? $0 : nil }?.quantizer
            if let source, taken[source] == nil, own.encodings.count == 1 {
                taken[source] = own
            } else {
                others.append(tensor)
            }
        }
        guard !taken.isEmpty else {
            return (self, EncodingsTaken(name: name, isFrozen: true, withoutQuantizer: others))
        }
        let file = EncodingsFile(activations: [:], parameters: [:], tensors: taken)
        var (placement, outcome) = try untied(Set(taken.keys))
            .taking(EncodingsSource(file, name: name, isFrozen: true), at: "model", in: graph)
        outcome.withoutQuantizer = (outcome.withoutQuantizer + others).sorted()
        return (placement, outcome)
    }

    /// With quantizers of their own for these tensors.
    private func untied(_ tensors: Set<String>) -> QuantizerPlacement {
        var heirs: [String: String] = [:]
        let untied = activations.map { quantizer in
            var own = quantizer
            if tensors.contains(own.tensor) {
                own.group = own.tensor
            } else if tensors.contains(own.group) {
                // The settings of a shared quantizer are those of every member.
                own.group = heirs[own.group, default: own.tensor]
                heirs[quantizer.group] = own.group
            }
            return own
        }
        return QuantizerPlacement(activations: untied, parameters: parameters, steps: steps)
    }
}
