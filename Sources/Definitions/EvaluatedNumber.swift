import Nodes
import Operators
import Tensors

/// An element type that elementwise functions are computed with. A result of nil says that the function is not defined for the
/// type, or that it has no value there (division by zero among integers).
protocol EvaluatedNumber: TensorElement, Comparable {
    static func binary(_ function: ElementwiseBinary.Function, _ left: Self, _ right: Self) -> Self?
    static func unary(_ function: ElementwiseUnary.Function, _ value: Self) -> Self?
    static func mean(sum: Self, count: Int) -> Self?
    static func reduced(_ function: Reduce.Function, _ members: ArraySlice<Self>) -> Self?
    static var zero: Self { get }
    static var one: Self { get }
}

/// The type that is computed with for elements of `type`. Half precision is widened before.
func evaluatedNumber(_ type: ElementType) -> (any EvaluatedNumber.Type)? {
    switch type {
    case .int8: Int8.self
    case .int16: Int16.self
    case .int32: Int32.self
    case .int64: Int64.self
    case .uint8: UInt8.self
    case .uint16: UInt16.self
    case .uint32: UInt32.self
    case .uint64: UInt64.self
    case .float32: Float.self
    case .float64: Double.self
    default: nil
    }
}

extension EvaluatedNumber where Self: FixedWidthInteger {
    static var one: Self { 1 }

    /// Sums and products wrap around, quotients are cut towards zero, as in C.
    static func binary(_ function: ElementwiseBinary.Function, _ left: Self, _ right: Self) -> Self? {
        switch function {
        case .add: left &+ right
        case .sub: left &- right
        case .mul: left &* right
        case .div: right == 0 ? nil : left.dividedReportingOverflow(by: right).partialValue
        case .pow: right < 0 || right > 64 ? nil : (0..<Int(right)).reduce(1) { power, _ in power &* left }
        case .prelu: left < 0 ? left &* right : left
        case .mod(let truncates):
            // Without `fmod` the remainder has the sign of the divisor, as in Python.
            right == 0
                ? nil
                : { rest in !truncates && rest != 0 && (rest < 0) != (right < 0) ? rest &+ right : rest }(
                    left.remainderReportingOverflow(dividingBy: right).partialValue)
        }
    }

    static func unary(_ function: ElementwiseUnary.Function, _ value: Self) -> Self? {
        switch function {
        case .neg: 0 &- value
        case .abs: value < 0 ? 0 &- value : value
        case .sign: value == 0 ? 0 : value > 0 ? 1 : 0 &- 1
        case .relu: Swift.max(value, 0)
        default: nil
        }
    }

    static func reduced(_ function: Reduce.Function, _ members: ArraySlice<Self>) -> Self? {
        switch function {
        case .max: members.max() ?? .min
        case .min: members.min() ?? .max
        case .product: members.reduce(1, &*)
        case .sum: members.reduce(0, &+)
        case .mean: mean(sum: members.reduce(0, &+), count: members.count)
        case .l1: members.reduce(0) { $0 &+ ($1 < 0 ? 0 &- $1 : $1) }
        case .sumOfSquares: members.reduce(0) { $0 &+ $1 &* $1 }
        case .l2: Self(exactly: members.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot().rounded(.towardZero))
        case .logSum, .logSumOfExponentials: nil
        }
    }

    static func mean(sum: Self, count: Int) -> Self? {
        guard count > 0, let divisor = Self(exactly: count) else { return nil }
        return sum.dividedReportingOverflow(by: divisor).partialValue
    }
}

extension EvaluatedNumber where Self: BinaryFloatingPoint {
    static var one: Self { 1 }

    static func binary(_ function: ElementwiseBinary.Function, _ left: Self, _ right: Self) -> Self? {
        switch function {
        case .add: left + right
        case .sub: left - right
        case .mul: left * right
        case .div: left / right
        case .pow: Self(power(Double(left), Double(right)))
        case .prelu: left < 0 ? left * right : left
        case .mod(let truncates):
            { rest in !truncates && rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest }(
                left.truncatingRemainder(dividingBy: right))
        }
    }

    static func unary(_ function: ElementwiseUnary.Function, _ value: Self) -> Self? { function.value(value) }

    static func mean(sum: Self, count: Int) -> Self? { sum / Self(count) }

    static func reduced(_ function: Reduce.Function, _ members: ArraySlice<Self>) -> Self? {
        switch function {
        case .max: return members.reduce(-.infinity) { $0.isNaN || $0 > $1 ? $0 : $1 }
        case .min: return members.reduce(.infinity) { $0.isNaN || $0 < $1 ? $0 : $1 }
        case .product: return members.reduce(1, *)
        case .sum: return members.reduce(0, +)
        case .mean: return mean(sum: members.reduce(0, +), count: members.count)
        case .l1: return members.reduce(0) { $0 + $1.magnitude }
        case .sumOfSquares: return members.reduce(0) { $0 + $1 * $1 }
        case .l2: return members.reduce(0) { $0 + $1 * $1 }.squareRoot()
        case .logSum: return Self(logarithm(Double(members.reduce(0, +))))
        case .logSumOfExponentials:
            // Less the largest, so that nothing overflows.
            let largest = members.reduce(-.infinity) { Swift.max($0, $1) }
            guard largest.isFinite else { return largest }
            let sum = members.reduce(0.0) { $0 + exponential(Double($1 - largest)) }
            return Self(logarithm(sum) + Double(largest))
        }
    }
}

extension Int8: EvaluatedNumber {}
extension Int16: EvaluatedNumber {}
extension Int32: EvaluatedNumber {}
extension Int64: EvaluatedNumber {}
extension UInt8: EvaluatedNumber {}
extension UInt16: EvaluatedNumber {}
extension UInt32: EvaluatedNumber {}
extension UInt64: EvaluatedNumber {}
extension Float: EvaluatedNumber {}
extension Double: EvaluatedNumber {}
