import Graph
import Quantization
import Tensors

extension EncodingsFile {
    /// The file with the axis of every parameter that has one encoding per channel, which files do not carry: it follows
    /// from the op that takes the parameter.
    /// - Throws: `QuantizationError` naming a parameter with several encodings that the graph does not have, that no op
    ///   takes as a parameter, or that has not as many channels; and an activation with several encodings.
    public func resolvingAxes(in graph: Graph, file: String) throws(QuantizationError) -> EncodingsFile {
        var resolved = self
        for (name, tensor) in activations.sorted(by: { $0.key < $1.key }) where tensor.encodings.count != 1 {
            throw QuantizationError(
                .lengthMismatch, file: file, key: "activation_encodings." + name, expected: "1",
                found: "\(tensor.encodings.count)")
        }
        let known = Dictionary(
            PlacementGraph(graph).parameters.joined().map { ($0.tensor, $0.channelAxis) },
            uniquingKeysWith: { first, _ in first })
        for (name, tensor) in parameters.sorted(by: { $0.key < $1.key }) where tensor.encodings.count > 1 {
            guard let shape = graph.constants[name]?.shape, let axis = known[name] ?? nil else {
                throw QuantizationError(
                    .lengthMismatch, file: file, key: "param_encodings." + name, expected: "1",
                    found: "\(tensor.encodings.count)")
            }
            guard shape[axis] == tensor.encodings.count else {
                throw QuantizationError(
                    .lengthMismatch, file: file, key: "param_encodings." + name, expected: "\(shape[axis])",
                    found: "\(tensor.encodings.count)")
            }
            resolved.parameters[name]?.axis = axis
        }
        return resolved
    }
}
