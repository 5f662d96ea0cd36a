import Nodes
import Tensors

/// Where: elements of input 1 where the condition (input 0, bool) holds, else of input 2; all three broadcast.
public struct Selection: Operator {
    public static let opTypes = ["Where"]

    let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...3)
        try AttributeReader(node).finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let condition = try node.input(inputs, 0)
        guard condition.type.elementType == .bool else {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: condition.name, expected: "bool",
                found: condition.type.elementType.rawValue)
        }
        let type = try node.broadcastType(Array(inputs[1...]))
        guard let shape = Shape.broadcast(type.shape, condition.type.shape) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: condition.name,
                expected: "a shape that broadcasts with \(type.shape)",
                found: "\(condition.type.shape)")
        }
        return [ValueType(type.elementType, shape)]
    }
}
