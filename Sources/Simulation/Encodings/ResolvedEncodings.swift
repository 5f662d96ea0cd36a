import Graph
import Quantization
import Tensors

extension EncodingsFile {
    /// The file with what a graph tells and files do not carry: the axes of every parameter that has one encoding per
    /// channel or block, which follow from the op that takes the parameter; and of version 2.0.0, which tensors are parameters.
    /// - Throws: `QuantizationError` naming a tensor with several encodings that the graph does not have, that no op
    ///   takes as a parameter, or that has not as many channels or blocks; and an activation with several encodings.
    public func resolved(against graph: Graph, file: String) throws(QuantizationError) -> EncodingsFile {
        let layers = PlacementGraph(graph)
        var resolved = self
        resolved.tensors = [:]
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            if tensor.blocks != nil {
                resolved.parameters[name] = tensor
            } else if let axis = tensor.axis {
                resolved.parameters[name] = try Self.channels(tensor, name, axis, of: graph, file)
            } else if layers.parameterNames.contains(name) {
                resolved.parameters[name] = tensor
            } else {
                resolved.activations[name] = tensor
            }
        }
        for (name, tensor) in activations.sorted(by: { $0.key < $1.key })
        where tensor.dataType == .int && tensor.encodings.count != 1 {
            throw QuantizationError(
                .lengthMismatch, file: file, key: "activation_encodings." + name, expected: "1",
                found: "\(tensor.encodings.count)")
        }
        let known = Dictionary(
            layers.parameters.joined().map { ($0.tensor, $0) }, uniquingKeysWith: { first, _ in first })
        for (name, tensor) in resolved.parameters.sorted(by: { $0.key < $1.key }) {
            guard let blocks = tensor.blocks else { continue }
            resolved.parameters[name] = try Self.blocked(tensor, blocks, name, known[name], of: graph, file)
        }
        for (name, tensor) in parameters.sorted(by: { $0.key < $1.key })
        where tensor.encodings.count > 1 && tensor.blocks == nil {
            // The scale of a normalization in elementary ops is no op's parameter, but has nothing but channels.
            guard let shape = graph.constants[name]?.shape,
                let axis = known[name].map(\.channelAxis) ?? (shape.rank == 1 ? 0 : nil)
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

    /// Encodings of blocks with their axes, in the order of the tensor's elements.
    private static func blocked(
        _ tensor: TensorEncodings, _ blocks: Blocks, _ name: String,
        _ parameter: PlacementGraph.Parameter?, of graph: Graph, _ file: String
    ) throws(QuantizationError) -> TensorEncodings {
        guard let shape = graph.constants[name]?.shape, let channelAxis = parameter?.channelAxis,
            let blockAxis = parameter?.blockAxis
        else {
            throw QuantizationError(
                .lengthMismatch, file: file, key: "encodings." + name, expected: "a layer's weight, which has blocks",
                found: "another tensor")
        }
        var grids = [Int](repeating: 1, count: shape.rank)
        grids[channelAxis] = shape[channelAxis]
        grids[blockAxis] = shape[blockAxis] / blocks.size
        let axis = blocks.axis.map { $0 < 0 ? $0 + shape.rank : $0 }
        guard shape[blockAxis].isMultiple(of: blocks.size), axis == nil || axis == blockAxis,
            axis == nil ? grids.reduce(1, *) == tensor.encodings.count : grids == tensor.blockGrids
        else {
            throw QuantizationError(
                .lengthMismatch, file: file, key: "encodings." + name,
                expected: "as many as blocks of \(blocks.size) along axis \(blockAxis) of \(shape)",
                found: axis == nil ? "\(tensor.encodings.count)" : "\(tensor.blockGrids ?? []) along axis \(axis ?? 0)")
        }
        return TensorEncodings(
            encodings: tensor.encodings, axis: channelAxis, blocks: Blocks(axis: blockAxis, size: blocks.size),
            blockGrids: grids
        )
        .inElementOrder(isVersion1: axis == nil)
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
