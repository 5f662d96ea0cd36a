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
        switch type {
        case .int64:
            return try numbers(operands, Int64.self) {
                Double($0)
            } element: {
                Int64($0)
            }
        case .int32:
            return try numbers(operands, Int32.self) {
                Double($0)
            } element: {
                Int32($0)
            }
        case .float32:
            return try numbers(operands, Float.self) {
                Double($0)
            } element: {
                Float($0)
            }
        case .float64:
            return try numbers(operands, Double.self) {
                $0
            } element: {
                Double($0)
            }
        case .int16, .float16, .bfloat16:
            let wide = inputs.map { input in
                input.map { input in
                    let type: ElementType = type == .int16 ? .int32 : .float32
                    return OperatorInput(
                        name: input.name, type: ValueType(type, input.type.shape),
                        constant: input.constant?.converted(to: type))
                }
            }
            return try value(inputs: wide).converted(to: type)
        default:
            throw GraphError(
                .unsupportedElementType, at: node,
                expected: "a signed integer or a floating-point number of at least 16 bits",
                found: type.rawValue)
        }
    }

    /// Rounds after every operation as the element type does.
    private func numbers<Element: TensorElement & Numeric>(
        _ operands: [Tensor], _: Element.Type, real: (Element) -> Double, element: (Int) -> Element
    ) throws -> Tensor {
        let values = operands.map { $0.elements(as: Element.self)[0] }
        let (start, limit, step) = (real(values[0]), real(values[1]), real(values[2]))
        let count = ((limit - start) / step).rounded(.up)
        // Integers beyond 2^53 are not exact as doubles; no extent or index is that large.
        guard step != 0, count <= Double(Self.maximumCount),
            [start, limit, step].allSatisfy({ $0.magnitude < 0x1p53 })
        else {
            throw GraphError(
                .invalidInput, at: node, expected: "a range of at most \(Self.maximumCount) numbers",
                found: "\(start), \(limit), \(step)")
        }
        let numbers = (0..<Int(max(count, 0))).map { values[0] + element($0) * values[2] }
        return Tensor(shape: [numbers.count], numbers)
    }
}
