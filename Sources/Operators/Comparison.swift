import Nodes
import Tensors

/// Comparisons and logical functions of elements; inputs broadcast, the output is bool.
public struct Comparison: Operator {
    /// What is compared, or how truth values are joined, by ONNX name.
    public enum Function: String, Sendable, Equatable, CaseIterable {
        case equal = "Equal"
        case greater = "Greater"
        case greaterOrEqual = "GreaterOrEqual"
        case less = "Less"
        case lessOrEqual = "LessOrEqual"
        case and = "And"
        case or = "Or"
        case xor = "Xor"
        case not = "Not"
    }

    public static let opTypes = Function.allCases.map(\.rawValue)

    package let node: Node
    /// What is computed of each pair of elements.
    public let function: Function

    public init(node: Node, opsetVersion: Int) throws {
        guard let function = Function(rawValue: node.opType) else {
            throw GraphError(.unsupportedOperators, at: node, found: node.opType)
        }
        try node.checkArity(inputs: function == .not ? 1...1 : 2...2)
        try AttributeReader(node).finish()
        self.function = function
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.broadcastType(inputs)
        if [.and, .or, .xor, .not].contains(function), type.elementType != .bool {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: inputs[0]?.name, expected: "bool",
                found: type.elementType.rawValue)
        }
        return [ValueType(.bool, type.shape)]
    }
}
