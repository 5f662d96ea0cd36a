import Graph
import Quantization
import Tensors

extension EncodingsFile {
    /// The file with what a graph tells and files do not carry: the axis of every parameter that has one encoding per
    /// channel, which follows from the op that takes the parameter; and of version 2.0.0, which tensors are parameters.
    /// - Throws: `QuantizationError` naming a tensor with several encodings that the graph does not have, that no op
    ///   takes as a parameter, or that has not as many channels; and an activation with several encodings.
    public func resolved(against graph: Graph, file: String) throws(QuantizationError) -> EncodingsFile {
        let layers = PlacementGraph(graph)
        var resolved = self
        resolved.tensors = [:]
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            if let axis = tensor.axis {
                resolved.parameters[name] = try Self.channels(tensor, name, axis, of: graph, file)
            } else if layers.parameterNames.contains(name) {
                resolved.parameters[name] = tensor
            } else {
                resolved.activations[name] = tensor
            }
        }
        for (name, tensor) in activations.sorted(by: { $0.key < $1.key }) where tensor.encodings.count != 1 {
            throw QuantizationError(
                .lengthMismatch, file: file, key: "activation_encodings." + name, expected: "1",
                found: "\(tensor.encodings.count)")
        }
        let known = Dictionary(
            layers.parameters.joined().map { ($0.tensor, $0.channelAxis) }, uniquingKeysWith: { first, _ in first })
        for (name, tensor) in parameters.sorted(by: { $0.key < $1.key }) where tensor.encodings.count > 1 {
            // The scale of a normalization in elementary ops is no op's parameter, but has nothing but channels.
            guard let shape = graph.constants[name]?.shape,
                let axis = known[name] ?? (known[name] == nil && shape.rank == 1 ? 0 : nil)
            else {
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

    /// Encodings of a constant with the axis of the file counted from the front.
    private static func channels(
        _ tensor: TensorEncodings, _ name: String, _ axis: Int, of graph: Graph, _ file: String
    ) throws(QuantizationError) -> TensorEncodings {
        guard let shape = graph.constants[name]?.shape else {
            throw QuantizationError(
                .lengthMismatch, file: file, key: "encodings." + name, expected: "1", found: "\(tensor.encodings.count)"
            )
        }
        let front = axis < 0 ? axis + shape.rank : axis
        guard (0..<shape.rank).contains(front), shape[front] == tensor.encodings.count else {
            throw QuantizationError(
                .lengthMismatch, file: file, key: "encodings." + name, expected: "as many as channels of \(shape)",
                found: "\(tensor.encodings.count) along axis \(axis)")
        }
        return TensorEncodings(encodings: tensor.encodings, axis: front)
    }
}
