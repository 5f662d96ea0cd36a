// Elementary functions from additions, multiplications and divisions of doubles alone. Those of the system's mathematics
// library differ in the last bit between versions and processors, and a loss that differs in a bit gives weights that
// differ, a divergence another encoding. Each says how far it may be from the true value where that is a normal number;
// rounded to single precision all are within 0.501 units in the last place.

/// The least and greatest arguments with a normal, finite result lie near -708 and 709.
private let ln2High = 0x1.62e42feep-1
/// ln 2 less its upper 32 bits, so that multiples of the upper part by small integers are exact.
private let ln2Low = 0x1.a39ef35793c76p-33

/// e^x within 2 units in the last place, by Taylor's series in [-ln 2 / 2, ln 2 / 2].
package func exponential(_ x: Double) -> Double {
    guard x > -746 else { return x.isNaN ? x : 0 }
    guard x < 710 else { return .infinity }
    let k = (x * 0x1.71547652b82fep0).rounded(.toNearestOrEven)
    let r = (x - k * ln2High) - k * ln2Low
    var sum = 1.0
    // 0.35^15 / 15! is far below the last bit.
    for divisor in stride(from: 14.0, through: 1, by: -1) { sum = 1 + r / divisor * sum }
    return Double(sign: .plus, exponent: Int(k), significand: sum)
}

/// ln x within 2 units in the last place: with x = m 2^k, m in [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1), the series
/// 2 (s + s^3/3 + s^5/5 + ...) plus k ln 2.
package func logarithm(_ x: Double) -> Double {
    guard x.isNormal && x > 0 else {
        if x.isSubnormal && x > 0 { return logarithm(x * 0x1p54) - 54 * (ln2High + ln2Low) }
        return x == .infinity ? x : x == 0 ? -.infinity : .nan
    }
    var m = x.significand
    var k = Double(x.exponent)
    if m > 0x1.6a09e667f3bcdp0 {
        m /= 2
        k += 1
    }
    let s = (m - 1) / (m + 1)
    let square = s * s
    // Unrolled, so that the divisions are of constants.
    var tail = (1.0 / 23) * square
    tail = (tail + 1.0 / 21) * square
    tail = (tail + 1.0 / 19) * square
    tail = (tail + 1.0 / 17) * square
    tail = (tail + 1.0 / 15) * square
    tail = (tail + 1.0 / 13) * square
    tail = (tail + 1.0 / 11) * square
    tail = (tail + 1.0 / 9) * square
    tail = (tail + 1.0 / 7) * square
    tail = (tail + 1.0 / 5) * square
    tail = (tail + 1.0 / 3) * square
    return k * ln2High + (2 * s + (2 * s * tail + k * ln2Low))
}

/// cos(pi x) for x in [0, 1]: -sin(pi (x - 1/2)) by Taylor's series.
package func cosineOfHalfTurns(_ x: Double) -> Double {
    let angle = (0.5 - x) * Double.pi
    let square = angle * angle
    var sum = 1.0
    for term in stride(from: 26.0, through: 2, by: -2) { sum = 1 - square / (term * (term + 1)) * sum }
    return angle * sum
}

/// base^exponent by squaring, within as many units in the last place as the exponent says; `exponent` is not negative.
package func power(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    var square = base
    var rest = exponent
    while rest > 0 {
        if rest & 1 == 1 { result *= square }
        square *= square
        rest >>= 1
    }
    return result
}

/// base^exponent as IEEE 754 says. Whole exponents up to 64 by squaring; others as e^(exponent ln base), within
/// 2^-42 of the value, relatively.
package func power(_ base: Double, _ exponent: Double) -> Double {
    if base == 1 || exponent == 0 { return 1 }
    if base.isNaN || exponent.isNaN { return .nan }
    let isWhole = exponent.rounded(.towardZero) == exponent
    // Beyond 2^53 all whole numbers are even.
    let isOdd = isWhole && exponent.magnitude < 0x1p53 && Int(exponent) & 1 == 1
    if isWhole, exponent.magnitude <= 64, base.isFinite, base != 0 {
        let value = power(base, Int(exponent.magnitude))
        return exponent < 0 ? 1 / value : value
    }
    if base < 0, base.isFinite, exponent.isFinite, !isWhole { return .nan }
    let magnitude: Double
    switch (base.magnitude, exponent) {
    case (1, _): magnitude = 1
    case (0, _), (.infinity, _): magnitude = (base == 0) == (exponent > 0) ? 0 : .infinity
    case (let size, .infinity), (let size, -.infinity): magnitude = (size < 1) == (exponent > 0) ? 0 : .infinity
    default: magnitude = exponential(exponent * logarithm(base.magnitude))
    }
    return base.sign == .minus && isOdd ? -magnitude : magnitude
}

/// The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x: within 1e-13 of the value, relatively.
package func errorFunction(_ x: Double) -> Double { ErrorFunction.shared.value(x) }

/// Taylor's series of the error function around multiples of 1/4. At most 1/8 away, twelve terms leave an error below
/// 2 / sqrt(pi) 2^5.5 sqrt(11!) / 12! 8^-12, which is 1.1e-14 (by Cramer's bound of Hermite's functions).
private struct ErrorFunction {
    static let shared = ErrorFunction()

    private static let terms = 12
    private static let spacing = 0.25
    /// From here on it is 1 in double precision.
    private static let end = 6.0
    private let coefficients: [Double]

    private init() {
        let scale = 2 / Double.pi.squareRoot()
        coefficients = (0...Int(Self.end / Self.spacing)).flatMap { index in
            let center = Double(index) * Self.spacing
            let slope = scale * exponential(-center * center)
            // 2 / sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...): all terms of one sign.
            var (term, value, divisor) = (center, center, 1.0)
            while term > value * 0x1p-60 {
                divisor += 2
                term *= 2 * center * center / divisor
                value += term
            }
            // f' = slope at the center, f'' = -2 x f', and so on: f^(n+1) = -2 x f^(n) - 2 (n - 1) f^(n-1).
            var derivatives = [min(value * slope, 1), slope, -2 * center * slope]
            for order in 2..<Self.terms - 1 {
                derivatives.append(
                    -2 * center * derivatives[order] - 2 * Double(order - 1) * derivatives[order - 1])
            }
            var factorial = 1.0
            return derivatives.enumerated().map { order, derivative in
                if order > 1 { factorial *= Double(order) }
                return derivative / factorial
            }
        }
    }

    func value(_ x: Double) -> Double {
        guard x.magnitude < Self.end else { return x.isNaN ? x : x < 0 ? -1 : 1 }
        let size = x.magnitude
        let index = Int(size / Self.spacing + 0.5)
        let distance = size - Double(index) * Self.spacing
        let value = coefficients.withUnsafeBufferPointer { coefficients in
            let start = index * Self.terms
            var sum = coefficients[start + Self.terms - 1]
            for term in stride(from: Self.terms - 2, through: 0, by: -1) {
                sum = sum * distance + coefficients[start + term]
            }
            return sum
        }
        return x.sign == .minus ? -value : value
    }
}
