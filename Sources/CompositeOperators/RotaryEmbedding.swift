import Nodes
import Tensors

/// RotaryEmbedding: the pairs of elements of each head turned by an angle that the position says.
///
/// Inputs: X [batch, heads, length, size] or [batch, length, heads * size]; cosines and sines of the angles [positions, half] with
/// the positions [batch, length], or [batch, length, half] without. In com.microsoft the positions come second, and one position
/// alone is that of the first of the sequence.
public struct RotaryEmbedding: Operator {
    public static let opTypes = ["RotaryEmbedding", "com.microsoft.RotaryEmbedding"]

    package let node: Node
    /// Whether a pair are neighbours, else one of each half.
    package let isInterleaved: Bool
    private let heads: Int
    private let turned: Int

    private var isContributed: Bool { !Node.isDefault(domain: node.domain) }

    public init(node: Node, opsetVersion: Int) throws {
        let isContributed = !Node.isDefault(domain: node.domain)
        try node.checkArity(inputs: isContributed ? 4...4 : 3...4)
        var attributes = AttributeReader(node)
        isInterleaved = try attributes.flag("interleaved")
        heads = try attributes.int("num_heads", default: 0)
        turned = try attributes.int("rotary_embedding_dim", default: 0)
        if isContributed {
            let (scale, isPacked) = (
                try attributes.float("scale", default: 1), try attributes.flag("is_packed_batching")
            )
            guard scale == 1, !isPacked else {
                throw GraphError(
                    .invalidAttribute, at: node, expected: "scale 1 and is_packed_batching 0",
                    found: "\(scale), \(isPacked ? 1 : 0)")
            }
        }
        try attributes.finish()
        self.node = node
    }

    /// Extents, and how many elements of each head are turned.
    package struct Layout {
        package var batch, heads, length, size, turned: Int
        /// Whether heads lie beside each other along the last axis.
        package var isFlat: Bool
    }

    package func layout(inputs: [OperatorInput?]) throws -> Layout {
        let input = try node.input(inputs, 0, rank: 3...4)
        let shape = input.type.shape
        let angles = try node.input(inputs, indices.cosines).type.shape
        var layout = Layout(
            batch: shape[0], heads: shape[1], length: shape[2], size: shape.dimensions.last ?? 0, turned: 0,
            isFlat: false)
        if shape.rank == 3 {
            // Files of com.microsoft may leave the heads to the width of the angles.
            let half = angles.dimensions.last ?? 0
            let count = heads > 0 || !isContributed || half == 0 ? heads : shape[2] / max(2 * half, 1)
            guard count > 0, shape[2] % count == 0 else {
                throw GraphError(
                    .invalidAttribute, at: node, expected: "num_heads that divides \(shape[2])", found: "\(count)")
            }
            layout = Layout(
                batch: shape[0], heads: count, length: shape[1], size: shape[2] / count, turned: 0, isFlat: true)
        }
        layout.turned = turned == 0 ? layout.size : turned
        guard 0...layout.size ~= layout.turned, layout.turned % 2 == 0 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name,
                expected: "an even number of at most \(layout.size) turned",
                found: "\(layout.turned)")
        }
        return layout
    }

    /// Where cosines, sines and positions stand among the inputs.
    package var indices: (cosines: Int, sines: Int, positions: Int) { isContributed ? (2, 3, 1) : (1, 2, 3) }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let layout = try layout(inputs: inputs)
        let positions = node.optional(inputs, indices.positions)
        for index in [indices.cosines, indices.sines] {
            let input = try node.input(inputs, index)
            let shape = input.type.shape
            let half = layout.turned / 2
            let fits =
                positions == nil ? shape == [layout.batch, layout.length, half] : shape.rank == 2 && shape[1] == half
            guard fits else {
                let expected =
                    positions == nil ? "[\(layout.batch), \(layout.length), \(half)]" : "[positions, \(half)]"
                throw GraphError(
                    .shapeMismatch, at: node, tensor: input.name, expected: expected, found: "\(shape)")
            }
        }
        if let positions {
            let isStart = isContributed && positions.type.shape.count == 1
            guard isStart || positions.type.shape == [layout.batch, layout.length] else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: positions.name, expected: "[\(layout.batch), \(layout.length)]",
                    found: "\(positions.type.shape)")
            }
        }
        return [try node.input(inputs, 0).type]
    }
}
