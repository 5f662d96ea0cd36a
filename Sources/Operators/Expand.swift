import Nodes
import Tensors

/// Expand: the input broadcast with a wanted shape, both ways.
public struct Expand: Operator {
    public static let opTypes = ["Expand"]

    let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        try AttributeReader(node).finish()
        self.node = node
    }

    /// The shape of the output.
    public func target(inputs: [OperatorInput?]) throws -> Shape {
        let input = try node.input(inputs, 0)
        let wanted = try node.constantInts(inputs, 1) ?? []
        guard wanted.allSatisfy({ $0 >= 0 }), let shape = Shape.broadcast(input.type.shape, Shape(wanted)) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "a shape that broadcasts with \(wanted)",
                found: "\(input.type.shape)")
        }
        return shape
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [ValueType(try node.input(inputs, 0).type.elementType, try target(inputs: inputs))]
    }
}
