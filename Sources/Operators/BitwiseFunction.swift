import Nodes
import Tensors

/// Functions of the bits of integers; inputs broadcast.
public struct BitwiseFunction: Operator {
    /// What is computed of each pair of elements, or of each element.
    public enum Function: Sendable, Equatable {
        case and, or, xor, not
        /// By as many bits as the second input says; zeros come in.
        case shift(isLeft: Bool)
    }

    public static let opTypes = ["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"]

    let node: Node
    /// What is computed.
    public let function: Function

    public init(node: Node, opsetVersion: Int) throws {
        var attributes = AttributeReader(node)
        switch node.opType {
        case "BitwiseAnd": function = .and
        case "BitwiseOr": function = .or
        case "BitwiseXor": function = .xor
        case "BitwiseNot": function = .not
        default:
            let direction = try attributes.string("direction") ?? ""
            guard direction == "LEFT" || direction == "RIGHT" else {
                throw GraphError(.invalidAttribute, at: node, expected: "direction LEFT or RIGHT", found: direction)
            }
            function = .shift(isLeft: direction == "LEFT")
        }
        try node.checkArity(inputs: function == .not ? 1...1 : 2...2)
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.broadcastType(inputs)
        guard !type.elementType.isFloatingPoint, type.elementType != .bool else {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: inputs[0]?.name, expected: "integers",
                found: type.elementType.rawValue)
        }
        return [type]
    }
}
