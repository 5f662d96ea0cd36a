import Nodes
import TensorFunctions
import Tensors

/// Range: start, start + step, ... up to but without the limit. Only for constants.
public struct NumberRange: Operator {
    public static let opTypes = ["Range"]

    /// Ranges are indices and positions; longer ones would only fill the memory.
    private static let maximumCount = 1 << 24

    let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...3)
        try AttributeReader(node).finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let value = try value(inputs: inputs)
        return [ValueType(value.elementType, value.shape)]
    }

    /// The numbers, of the type of the inputs.
    public func value(inputs: [OperatorInput?]) throws -> Tensor {
        let operands = try (0...2).map { index in
            guard let value = try node.constant(inputs, index), value.count == 1 else {
                throw GraphError(
                    .invalidInput, at: node, tensor: node.optional(inputs, index)?.name, expected: "one element",
                    found: node.optional(inputs, index).map { "\($0.type.shape)" } ?? "none")
            }
            return value
        }
        let type = operands[0].elementType
        guard operands.allSatisfy({ $0.elementType == type }) else {
            throw GraphError(
                .unsupportedElementType, at: node, expected: "operands of one type",
                found: operands.map(\.elementType.rawValue).joined(separator: ", "))
        }
        guard [.int16, .int32, .int64, .float16, .bfloat16, .float32, .float64].contains(type) else {
            throw GraphError(
                .unsupportedElementType, at: node,
                expected: "a signed integer or a floating-point number of at least 16 bits",
                found: type.rawValue)
        }
        guard let numbers = Tensor.range(operands, maximumCount: Self.maximumCount) else {
            let found = operands.map { "\($0.converted(to: .float64).elements(as: Double.self)[0])" }
            throw GraphError(
                .invalidInput, at: node, expected: "a range of at most \(Self.maximumCount) numbers",
                found: found.joined(separator: ", "))
        }
        return numbers
    }
}
