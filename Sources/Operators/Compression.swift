import Nodes
import TensorFunctions
import Tensors

/// Compress: the slices of the input along an axis, or its elements, for which a condition holds. How many there are
/// depends on the condition, which must be a constant.
public struct Compression: Operator {
    public static let opTypes = ["Compress"]

    package let node: Node
    /// Nil where elements are taken, of all axes.
    package let axis: Int?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0).type
        let count = try taken(inputs: inputs).count
        guard let axis else { return [ValueType(input.elementType, [count])] }
        var extents = input.shape.dimensions
        extents[try node.resolveAxis(axis, rank: extents.count)] = count
        return [ValueType(input.elementType, Shape(extents))]
    }

    /// The indices that are taken; a condition that is too short holds for none of the rest, what is beyond does not
    /// count.
    package func taken(inputs: [OperatorInput?]) throws -> [Int] {
        let shape = try node.input(inputs, 0, rank: 1...Int.max).type.shape
        let extent = try axis.map { shape[try node.resolveAxis($0, rank: shape.rank)] } ?? shape.count
        guard let condition = try node.constant(inputs, 1), condition.elementType == .bool, condition.shape.rank == 1
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: node.optional(inputs, 1)?.name, expected: "a row of bool",
                found: node.optional(inputs, 1).map { "\($0.type.elementType.rawValue) \($0.type.shape)" } ?? "none")
        }
        return condition.truths.prefix(extent).enumerated().filter(\.element).map(\.offset)
    }
}
