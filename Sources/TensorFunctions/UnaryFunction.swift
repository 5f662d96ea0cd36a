import Tensors

/// A function of one element, by its name in ONNX.
public enum UnaryFunction: Sendable, Equatable {
    case relu, leakyRelu(alpha: Float), elu(alpha: Float)
    case sigmoid, tanh, exp, log, sqrt, abs, neg, reciprocal, erf
    /// max(0, min(1, alpha * x + beta))
    case hardSigmoid(alpha: Float, beta: Float)
    /// x * max(0, min(1, x / 6 + 1 / 2))
    case hardSwish
    case softplus
    case gelu(tanhApproximation: Bool)
    /// max(0, x) + min(0, alpha * (exp(x / alpha) - 1))
    case celu(alpha: Float)
    /// gamma * (x > 0 ? x : alpha * (exp(x) - 1))
    case selu(alpha: Float, gamma: Float)
    /// x * tanh(ln(1 + exp(x)))
    case mish
    /// x / (1 + exp(-alpha * x))
    case swish(alpha: Float)
    /// x / (1 + |x|)
    case softsign
    /// x where x > alpha, else 0
    case thresholdedRelu(alpha: Float)
    /// x + bias where x < -lambda, x - bias where x > lambda, else 0
    case shrink(bias: Float, lambda: Float)
    case sin, cos, tan, asin, acos, atan
    case sinh, cosh, asinh, acosh, atanh
    case floor, ceil
    /// Half to even.
    case round
    case sign
}

extension UnaryFunction {
    /// The function by its definition in the ONNX specification.
    package func value<Number: BinaryFloatingPoint>(_ x: Number) -> Number {
        /// A function of doubles, rounded.
        func rounded(_ function: (Double) -> Double) -> Number { Number(function(Double(x))) }
        return switch self {
        case .relu: x < 0 ? 0 : x
        case .leakyRelu(let alpha): x < 0 ? Number(alpha) * x : x
        case .elu(let alpha): x < 0 ? rounded { Double(alpha) * (exponential($0) - 1) } : x
        case .sigmoid: rounded { 1 / (1 + exponential(-$0)) }
        case .tanh: rounded(hyperbolicTangent)
        case .exp: rounded(exponential)
        case .log: rounded(logarithm)
        case .sqrt: x.squareRoot()
        case .abs: x.magnitude
        case .neg: -x
        case .reciprocal: 1 / x
        case .erf: rounded(errorFunction)
        case .hardSigmoid(let alpha, let beta): max(0, min(1, Number(alpha) * x + Number(beta)))
        case .hardSwish: x * max(0, min(1, x / 6 + 0.5))
        case .softplus: rounded(Self.softplus)
        case .gelu(let tanhApproximation):
            rounded { x in
                tanhApproximation
                    ? x / 2 * (1 + hyperbolicTangent((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
                    : x / 2 * (1 + errorFunction(x / 2.0.squareRoot()))
            }
        case .celu(let alpha):
            x > 0 ? x : rounded { min(0, Double(alpha) * (exponential($0 / Double(alpha)) - 1)) }
        case .selu(let alpha, let gamma):
            rounded { Double(gamma) * ($0 > 0 ? $0 : Double(alpha) * (exponential($0) - 1)) }
        case .mish: rounded { $0 * hyperbolicTangent(Self.softplus($0)) }
        case .swish(let alpha): rounded { $0 / (1 + exponential(-Double(alpha) * $0)) }
        case .softsign: x / (1 + x.magnitude)
        case .thresholdedRelu(let alpha): x > Number(alpha) ? x : 0
        case .shrink(let bias, let lambda):
            x < -Number(lambda) ? x + Number(bias) : x > Number(lambda) ? x - Number(bias) : 0
        case .sin: rounded(sine)
        case .cos: rounded(cosine)
        case .tan: rounded(tangent)
        case .asin: rounded(arcSine)
        case .acos: rounded(arcCosine)
        case .atan: rounded(arcTangent)
        case .sinh: rounded(hyperbolicSine)
        case .cosh: rounded(hyperbolicCosine)
        case .asinh: rounded(areaSine)
        case .acosh: rounded(areaCosine)
        case .atanh: rounded(areaTangent)
        case .floor: x.rounded(.down)
        case .ceil: x.rounded(.up)
        case .round: x.rounded(.toNearestOrEven)
        case .sign: x > 0 ? 1 : x < 0 ? -1 : x
        }
    }

    /// The derivative; zero where there is none.
    package func derivative(_ x: Double) -> Double {
        switch self {
        case .relu: return x > 0 ? 1 : 0
        case .leakyRelu(let alpha): return x > 0 ? 1 : Double(alpha)
        case .elu(let alpha): return x > 0 ? 1 : Double(alpha) * exponential(x)
        case .sigmoid:
            let y = 1 / (1 + exponential(-x))
            return y * (1 - y)
        case .tanh:
            let y = hyperbolicTangent(x)
            return 1 - y * y
        case .exp: return exponential(x)
        case .log: return 1 / x
        case .sqrt: return 0.5 / x.squareRoot()
        case .abs: return x > 0 ? 1 : x < 0 ? -1 : 0
        case .neg: return -1
        case .reciprocal: return -1 / (x * x)
        case .erf: return 2 / Double.pi.squareRoot() * exponential(-x * x)
        case .hardSigmoid(let alpha, let beta):
            let line = Double(alpha) * x + Double(beta)
            return line > 0 && line < 1 ? Double(alpha) : 0
        case .hardSwish: return x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1
        case .softplus: return 1 / (1 + exponential(-x))
        case .gelu(let tanhApproximation):
            guard tanhApproximation else {
                let density = exponential(-x * x / 2) / (2 * Double.pi).squareRoot()
                return 0.5 * (1 + errorFunction(x / 2.0.squareRoot())) + x * density
            }
            let scale = (2 / Double.pi).squareRoot()
            let y = hyperbolicTangent(scale * (x + 0.044715 * x * x * x))
            return 0.5 * (1 + y) + x / 2 * (1 - y * y) * scale * (1 + 3 * 0.044715 * x * x)
        case .celu(let alpha): return x > 0 ? 1 : exponential(x / Double(alpha))
        case .selu(let alpha, let gamma): return Double(gamma) * (x > 0 ? 1 : Double(alpha) * exponential(x))
        case .mish:
            let y = hyperbolicTangent(Self.softplus(x))
            return y + x * (1 - y * y) / (1 + exponential(-x))
        case .swish(let alpha):
            let y = 1 / (1 + exponential(-Double(alpha) * x))
            return y + Double(alpha) * x * y * (1 - y)
        case .softsign:
            let y = 1 + x.magnitude
            return 1 / (y * y)
        case .thresholdedRelu(let alpha): return x > Double(alpha) ? 1 : 0
        case .shrink(_, let lambda): return x.magnitude > Double(lambda) ? 1 : 0
        case .sin: return cosine(x)
        case .cos: return -sine(x)
        case .tan:
            let y = cosine(x)
            return 1 / (y * y)
        case .asin: return 1 / (1 - x * x).squareRoot()
        case .acos: return -1 / (1 - x * x).squareRoot()
        case .atan: return 1 / (1 + x * x)
        case .sinh: return hyperbolicCosine(x)
        case .cosh: return hyperbolicSine(x)
        case .asinh: return 1 / (x * x + 1).squareRoot()
        case .acosh: return 1 / (x * x - 1).squareRoot()
        case .atanh: return 1 / (1 - x * x)
        case .floor, .ceil, .round, .sign: return 0
        }
    }

    /// ln(1 + exp(x)), which does not overflow.
    private static func softplus(_ x: Double) -> Double { max(x, 0) + logarithmOfOnePlus(exponential(-x.magnitude)) }
}
