import Nodes
import TensorFunctions
import Tensors

/// OneHot: for each index a row, along a new axis, of the off value with the on value at the index.
public struct OneHot: Operator {
    public static let opTypes = ["OneHot"]

    package let node: Node
    package let axis: Int

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...3)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: -1)
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let (indices, values) = (try node.input(inputs, 0), try node.input(inputs, 2))
        var extents = indices.type.shape.dimensions
        let axis = try node.resolveAxis(axis, rank: extents.count + 1)
        guard let depth = try node.constant(inputs, 1), depth.count == 1, let count = Int(exactly: depth.floats[0]),
            0...Window.limit ~= count
        else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 1)?.name, expected: "a depth", found: "none")
        }
        guard values.type.shape == [2] else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: values.name, expected: "an off and an on value",
                found: "\(values.type.shape)")
        }
        extents.insert(count, at: axis)
        return [ValueType(values.type.elementType, Shape(extents))]
    }
}
