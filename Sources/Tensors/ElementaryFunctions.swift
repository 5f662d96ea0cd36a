// Elementary functions from additions, multiplications and divisions of doubles alone. Those of the system's mathematics
// library differ in the last bit between versions and processors, and a loss that differs in a bit gives weights that
// differ, a divergence another encoding. Within 2 units in the last place of the true values where the results are normal
// numbers.

/// The least and greatest arguments with a normal, finite result lie near -708 and 709.
private let ln2High = 0x1.62e42feep-1
/// ln 2 less its upper 32 bits, so that multiples of the upper part by small integers are exact.
private let ln2Low = 0x1.a39ef35793c76p-33

/// e^x, by Taylor's series in [-ln 2 / 2, ln 2 / 2].
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

/// ln x for a positive, normal x: with x = m 2^k, m in [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1), the series
/// 2 (s + s^3/3 + s^5/5 + ...) plus k ln 2.
package func logarithm(_ x: Double) -> Double {
    guard x.isNormal && x > 0 else { return x == .infinity ? x : x == 0 ? -.infinity : .nan }
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

/// base^exponent by squaring; `exponent` is not negative.
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
