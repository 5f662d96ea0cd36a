import Nodes
import Tensors

/// Det: the determinants of square matrices, [..., n, n] to [...].
public struct Determinant: Operator {
    public static let opTypes = ["Det"]

    let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        try AttributeReader(node).finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0, rank: 2...Int.max)
        let extents = input.type.shape.dimensions
        guard extents[extents.count - 1] == extents[extents.count - 2], input.type.elementType.isFloatingPoint else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "square matrices of floats",
                found: "\(input.type.shape) of \(input.type.elementType.rawValue)")
        }
        return [ValueType(input.type.elementType, Shape(Array(extents.dropLast(2))))]
    }
}
