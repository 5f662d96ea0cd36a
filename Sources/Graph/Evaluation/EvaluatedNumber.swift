import Foundation
import Tensors

/// An element type that folding computes with. A result of nil says that the function is not folded for the type, or that
/// it has no value there (division by zero among integers).
protocol EvaluatedNumber: TensorElement, Comparable {
    static func binary(_ function: ElementwiseBinary.Function, _ left: Self, _ right: Self) -> Self?
    static func unary(_ function: ElementwiseUnary.Function, _ value: Self) -> Self?
    static func mean(sum: Self, count: Int) -> Self?
    static var zero: Self { get }
    static var one: Self { get }
}

/// The type that folding computes with for elements of `type`.
func evaluatedNumber(_ type: ElementType) -> (any EvaluatedNumber.Type)? {
    switch type {
    case .int64: Int64.self
    case .int32: Int32.self
    case .float32: Float.self
    case .float64: Double.self
    default: nil
    }
}

extension EvaluatedNumber where Self: FixedWidthInteger & SignedInteger {
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
        }
    }

    static func unary(_ function: ElementwiseUnary.Function, _ value: Self) -> Self? {
        switch function {
        case .neg: 0 &- value
        case .abs: value < 0 ? 0 &- value : value
        case .sign: value.signum()
        case .relu: Swift.max(value, 0)
        default: nil
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
        }
    }

    static func unary(_ function: ElementwiseUnary.Function, _ value: Self) -> Self? {
        switch function {
        case .neg: -value
        case .abs: value.magnitude
        case .sign: value > 0 ? 1 : value < 0 ? -1 : value
        case .relu: value < 0 ? 0 : value
        case .floor: value.rounded(.down)
        case .ceil: value.rounded(.up)
        case .round: value.rounded(.toNearestOrEven)
        case .sqrt: value.squareRoot()
        case .reciprocal: 1 / value
        case .exp: Self(exponential(Double(value)))
        case .log: Self(logarithm(Double(value)))
        default: nil
        }
    }

    static func mean(sum: Self, count: Int) -> Self? { sum / Self(count) }
}

extension Int64: EvaluatedNumber {}
extension Int32: EvaluatedNumber {}
extension Float: EvaluatedNumber {}
extension Double: EvaluatedNumber {}
