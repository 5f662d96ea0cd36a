import Nodes
import Tensors

/// ONNX Runtime's EmbedLayerNormalization: the layer normalization of a word's, its position's and its segment's row of three tables.
///
/// Inputs: words [batch, length], segments [batch, length] or none, tables [words, size], [positions, size], [segments, size] or
/// none, scale [size], shift [size], a mask that is not used here, and positions [batch or 1, length], or none where they count up.
/// Outputs: [batch, length, size], an index of the mask that is not given, the sum before.
public struct EmbeddingNormalization: Operator {
    public static let opTypes = ["com.microsoft.EmbedLayerNormalization"]

    package let node: Node
    /// Added to the variance.
    package let epsilon: Float

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...9, outputs: 3)
        var attributes = AttributeReader(node)
        epsilon = try attributes.float("epsilon", default: 1e-12)
        attributes.ignore("mask_index_type")
        try attributes.finish()
        if node.outputs.count > 1, !node.outputs[1].isEmpty {
            throw GraphError(
                .unsupportedOperators, at: node, tensor: node.outputs[1], expected: "no index of the mask", found: "one"
            )
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let words = try node.input(inputs, 0, rank: 2...2)
        let table = try node.input(inputs, 2, rank: 2...2)
        let (shape, size) = (words.type.shape, table.type.shape[1])
        for index in [3, 4] {
            guard let other = node.optional(inputs, index) else { continue }
            guard other.type.shape.rank == 2, other.type.shape[1] == size,
                other.type.elementType == table.type.elementType
            else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: other.name, expected: "[rows, \(size)]",
                    found: "\(other.type.shape)")
            }
        }
        let positions = try node.input(inputs, 3)
        if node.optional(inputs, 8) == nil, positions.type.shape[0] < shape[1] {
            throw GraphError(
                .shapeMismatch, at: node, tensor: positions.name, expected: "at least \(shape[1]) positions",
                found: "\(positions.type.shape)")
        }
        guard (node.optional(inputs, 1) == nil) == (node.optional(inputs, 4) == nil) else {
            throw GraphError(.invalidInput, at: node, expected: "segments and their table", found: "one of them")
        }
        for index in [1, 8] {
            guard let other = node.optional(inputs, index) else { continue }
            guard other.type.shape.rank == 2, Shape.broadcast(other.type.shape, shape) == shape else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: other.name, expected: "\(shape)", found: "\(other.type.shape)")
            }
        }
        for index in 5...6 {
            _ = try node.input(inputs, index)
            try node.checkPerChannel(inputs, index, channels: size)
        }
        let type = ValueType(table.type.elementType, Shape(shape.dimensions + [size]))
        return [type, ValueType(.int32, [shape[0]]), type]
    }
}
