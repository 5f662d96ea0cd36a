import Nodes
import Tensors

/// Functions of x + bias, where the bias of the last axis may be absent: ONNX Runtime's BiasGelu, and FastGelu, which approximates by
/// tanh.
public struct BiasedActivation: Operator {
    public static let opTypes = ["com.microsoft.BiasGelu", "com.microsoft.FastGelu"]

    package let node: Node
    package var approximates: Bool { node.opType == "FastGelu" }

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: (node.opType == "FastGelu" ? 1 : 2)...2)
        try AttributeReader(node).finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let input = try node.input(inputs, 0)
        if let bias = node.optional(inputs, 1), Shape.broadcast(bias.type.shape, input.type.shape) != input.type.shape {
            throw GraphError(
                .shapeMismatch, at: node, tensor: bias.name, expected: "a shape that broadcasts to \(input.type.shape)",
                found: "\(bias.type.shape)")
        }
        return [input.type]
    }
}
