import Nodes
import Tensors

/// LayerNormalization over the axes from `axis` on: (input - mean) / sqrt(variance + epsilon) * scale + bias; scale and
/// bias broadcast to the normalized axes. Further outputs: the means, and one over the square roots.
public struct LayerNormalization: Operator {
    public static let opTypes = ["LayerNormalization"]

    package let node: Node
    /// The first axis that is normalized over; may count from the end.
    public let axis: Int
    /// Added to the variance.
    public let epsilon: Float

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...3, outputs: 3)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: -1)
        epsilon = try attributes.float("epsilon", default: 1e-5)
        attributes.ignore("stash_type")
        try attributes.finish()
        self.node = node
    }

    /// The axis counted from the front.
    /// - Parameter rank: of the input.
    public func resolvedAxis(rank: Int) -> Int { axis < 0 ? axis + rank : axis }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let type = try node.input(inputs, 0, rank: 1...Int.max).type
        let axis = try node.resolveAxis(axis, rank: type.shape.rank)
        let normalized = Shape(type.shape.dimensions.dropFirst(axis))
        for parameter in [try node.input(inputs, 1), node.optional(inputs, 2)].compactMap({ $0 })
        where Shape.broadcast(parameter.type.shape, normalized) != normalized {
            throw GraphError(
                .shapeMismatch, at: node, tensor: parameter.name, expected: "a shape that broadcasts to \(normalized)",
                found: "\(parameter.type.shape)")
        }
        let statistics = type.shape.dimensions[..<axis] + type.shape.dimensions[axis...].map { _ in 1 }
        return [type] + [ValueType](repeating: ValueType(.float32, Shape(Array(statistics))), count: 2)
    }
}
