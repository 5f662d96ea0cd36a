import Nodes
import Tensors

/// TensorScatter: a cache with an update written into it, for each sample from a place along an axis on.
///
/// Inputs: cache [batch, ..., length, ...], update of the same extents but along the axis, and optionally the places [batch], which
/// are zero without.
public struct TensorScatter: Operator {
    public static let opTypes = ["TensorScatter"]

    package let node: Node
    package let axis: Int
    /// Whether places go on at the beginning behind the end.
    package let isCircular: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...3)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: -2)
        let mode = try attributes.string("mode") ?? "linear"
        try attributes.finish()
        guard ["linear", "circular"].contains(mode) else {
            throw GraphError(.invalidAttribute, at: node, expected: "mode linear or circular", found: mode)
        }
        isCircular = mode == "circular"
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let (cache, update) = (try node.input(inputs, 0, rank: 2...Int.max), try node.input(inputs, 1))
        let (shape, new) = (cache.type.shape, update.type.shape)
        let axis = try node.resolveAxis(axis, rank: shape.rank)
        guard axis > 0, new.rank == shape.rank, new[axis] <= shape[axis],
            new.dimensions.indices.allSatisfy({ $0 == axis || new[$0] == shape[$0] }),
            update.type.elementType == cache.type.elementType
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: update.name,
                expected: "\(cache.type.elementType) \(shape) with at most as many along an axis behind the first",
                found: "\(update.type.elementType) \(new)")
        }
        if let places = node.optional(inputs, 2), places.type != ValueType(.int64, [shape[0]]) {
            throw GraphError(
                .shapeMismatch, at: node, tensor: places.name, expected: "int64 [\(shape[0])]",
                found: "\(places.type.elementType) \(places.type.shape)")
        }
        return [cache.type]
    }
}
