import Nodes
import Operators
import TensorFunctions
import Tensors

extension ElementTest: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let numbers = inputs.constants[0].converted(to: .float64).elements(as: Double.self)
        let results = numbers.map { number in
            node.opType == "IsNaN"
                ? number.isNaN : countsPositive && number == .infinity || countsNegative && number == -.infinity
        }
        return [Tensor(shape: types[0].shape, results)]
    }
}

extension BitwiseFunction: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let type = types[0].elementType
        // Bits are the same whatever the sign: the low ones of 64 are those of the type.
        let operands = inputs.constants.map {
            $0.broadcast(to: types[0].shape).converted(to: .uint64).elements(as: UInt64.self)
        }
        let mask = type.size == 8 ? UInt64.max : (1 << UInt64(8 * type.size)) - 1
        let (left, right) = (operands[0], operands.last ?? [])
        let results = zip(left, right).map { a, b in
            switch function {
            case .and: a & b
            case .or: a | b
            case .xor: a ^ b
            case .not: ~a
            case .shift(let isLeft): Self.shifted(a, by: b, isLeft: isLeft, type, mask)
            }
        }
        return [Tensor(shape: types[0].shape, results).converted(to: type)]
    }

    /// Copies of a sign come in from the left. A distance that is negative, or of all bits and more, leaves nothing else.
    private static func shifted(
        _ number: UInt64, by distance: UInt64, isLeft: Bool, _ type: ElementType, _ mask: UInt64
    ) -> UInt64 {
        let isSigned = [.int8, .int16, .int32, .int64].contains(type)
        let isBeyond = distance >= UInt64(8 * type.size)
        if isLeft { return isBeyond ? 0 : number << distance }
        // Signed numbers were extended when they were widened.
        if isSigned { return UInt64(bitPattern: Int64(bitPattern: number) >> Int64(isBeyond ? 63 : distance)) }
        return isBeyond ? 0 : (number & mask) >> distance
    }
}

extension IdentityMatrix: EvaluatedOperator {
    package var needsValues: Bool { false }

    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let shape = types[0].shape
        let ones = (0..<shape.count).map { index in
            let (row, column) = (index / max(shape[1], 1), index % max(shape[1], 1))
            return column - row == diagonal ? Float(1) : 0
        }
        return [Tensor(shape: shape, ones).converted(to: types[0].elementType)]
    }
}
