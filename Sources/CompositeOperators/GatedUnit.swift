import Nodes
import Tensors

/// SwiGLU: the first input, through x * sigmoid(alpha * x), times the second.
public struct GatedUnit: Operator {
    public static let opTypes = ["SwiGLU"]

    package let node: Node
    /// What the gate is multiplied by within the sigmoid.
    package let alpha: Float

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        alpha = try attributes.float("alpha", default: 1)
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let (gate, value) = (try node.input(inputs, 0), try node.input(inputs, 1))
        guard gate.type == value.type else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: value.name, expected: "\(gate.type.shape)",
                found: "\(value.type.shape)")
        }
        return [gate.type]
    }
}
