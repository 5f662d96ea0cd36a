// Trigonometric and hyperbolic functions and their inverses, from the elementary functions and arithmetic of doubles alone: as
// those, the same bits on every machine. Each says how far it may be from the true value; rounded to single precision all are
// within 0.501 units in the last place, those of sine, cosine and tangent for arguments below 2^30.

/// Pi / 2 in three parts, of 33 bits each but for the last.
private let halfPi = (0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69)

/// Functions that are x + O(x^2) there are x to the last bit; all but ln(1 + x) even to O(x^3).
private let tiny = 0x1p-60

/// The argument less the nearest multiple of pi / 2, and which multiple it is, of four.
private func reduced(_ x: Double) -> (rest: Double, quarter: Int) {
    let k = (x * (2 / Double.pi)).rounded(.toNearestOrEven)
    let rest = x.addingProduct(-k, halfPi.0).addingProduct(-k, halfPi.1).addingProduct(-k, halfPi.2)
    let quarter = Int(k.truncatingRemainder(dividingBy: 4))
    return (rest, quarter < 0 ? quarter + 4 : quarter)
}

/// sin r by Taylor's series in [-pi / 4, pi / 4].
private func sineSeries(_ r: Double) -> Double {
    let square = r * r
    var sum = 1.0
    for term in stride(from: 18.0, through: 2, by: -2) { sum = 1 - square / (term * (term + 1)) * sum }
    return r * sum
}

/// cos r by Taylor's series in [-pi / 4, pi / 4].
private func cosineSeries(_ r: Double) -> Double {
    let square = r * r
    var sum = 1.0
    for term in stride(from: 19.0, through: 1, by: -2) { sum = 1 - square / (term * (term + 1)) * sum }
    return sum
}

/// sin x within 4 units in the last place of 1 for arguments below 2^30; NaN for infinities.
package func sine(_ x: Double) -> Double {
    guard x.isFinite else { return .nan }
    guard x != 0 else { return x }
    let (rest, quarter) = reduced(x)
    let magnitude = quarter % 2 == 0 ? sineSeries(rest) : cosineSeries(rest)
    return quarter < 2 ? magnitude : -magnitude
}

/// cos x within 4 units in the last place of 1 for arguments below 2^30; NaN for infinities.
package func cosine(_ x: Double) -> Double {
    guard x.isFinite else { return .nan }
    let (rest, quarter) = reduced(x)
    let magnitude = quarter % 2 == 0 ? cosineSeries(rest) : sineSeries(rest)
    return quarter == 0 || quarter == 3 ? magnitude : -magnitude
}

/// tan x as the quotient of sine and cosine.
package func tangent(_ x: Double) -> Double { x == 0 ? x : sine(x) / cosine(x) }

/// atan x within 1e-15 of the true value's magnitude. Halved twice, then by its series.
package func arcTangent(_ x: Double) -> Double {
    guard x.magnitude >= tiny else { return x }
    let isInverted = x.magnitude > 1
    var y = isInverted ? 1 / x.magnitude : x.magnitude
    for _ in 0..<2 { y /= 1 + (1 + y * y).squareRoot() }
    let square = y * y
    var sum = 0.0
    // 0.2^25 / 25 is below the last bit.
    for power in stride(from: 25.0, through: 1, by: -2) { sum = 1 / power - square * sum }
    let angle = 4 * y * sum
    let magnitude = isInverted ? Double.pi / 2 - angle : angle
    return x < 0 ? -magnitude : magnitude
}

/// asin x within 2e-15; NaN beyond [-1, 1].
package func arcSine(_ x: Double) -> Double {
    guard x.magnitude <= 1 else { return .nan }
    guard x.magnitude >= tiny else { return x }
    return arcTangent(x / ((1 - x) * (1 + x)).squareRoot())
}

/// acos x within 2e-15; NaN beyond [-1, 1].
package func arcCosine(_ x: Double) -> Double {
    guard x.magnitude <= 1 else { return .nan }
    return 2 * arcTangent(((1 - x) / (1 + x)).squareRoot())
}

/// ln(1 + x) within 1e-15 of its magnitude, also where x is small.
package func logarithmOfOnePlus(_ x: Double) -> Double {
    guard x.magnitude < 0.25 else { return logarithm(1 + x) }
    guard x.magnitude >= tiny else { return x }
    let s = x / (2 + x)
    let square = s * s
    var sum = 0.0
    for power in stride(from: 19.0, through: 1, by: -2) { sum = 1 / power + square * sum }
    return 2 * s * sum
}

/// sinh x within 1e-15 of its magnitude.
package func hyperbolicSine(_ x: Double) -> Double {
    guard x.magnitude < 1 else {
        // In two steps, so that what is representable does not overflow on the way.
        let half = exponential(x.magnitude / 2)
        let magnitude = half * (half / 2) - 0.5 / half / half
        return x < 0 ? -magnitude : x.isNaN ? x : magnitude
    }
    let square = x * x
    var sum = 1.0
    for term in stride(from: 18.0, through: 2, by: -2) { sum = 1 + square / (term * (term + 1)) * sum }
    return x * sum
}

/// cosh x within 1e-15 of its magnitude.
package func hyperbolicCosine(_ x: Double) -> Double {
    let half = exponential(x.magnitude / 2)
    return half * (half / 2) + 0.5 / half / half
}

/// tanh x within 1e-15 of its magnitude.
package func hyperbolicTangent(_ x: Double) -> Double {
    if x.magnitude > 20 { return x < 0 ? -1 : 1 }
    return x.isNaN ? x : hyperbolicSine(x) / hyperbolicCosine(x)
}

/// asinh x within 1e-15 of its magnitude.
package func areaSine(_ x: Double) -> Double {
    guard x.magnitude >= tiny else { return x }
    let y = x.magnitude
    let magnitude =
        y > 0x1p28 ? logarithm(y) + logarithm(2) : logarithmOfOnePlus(y + y * y / (1 + (y * y + 1).squareRoot()))
    return x < 0 ? -magnitude : magnitude
}

/// acosh x within 1e-15 of its magnitude; NaN below 1.
package func areaCosine(_ x: Double) -> Double {
    guard x >= 1 else { return .nan }
    if x > 0x1p28 { return logarithm(x) + logarithm(2) }
    let t = x - 1
    return logarithmOfOnePlus(t + (2 * t + t * t).squareRoot())
}

/// atanh x within 1e-15 of its magnitude; NaN beyond [-1, 1].
package func areaTangent(_ x: Double) -> Double {
    guard x.magnitude <= 1 else { return .nan }
    guard x != 0 else { return x }
    let y = x.magnitude
    let magnitude = y == 1 ? .infinity : 0.5 * logarithmOfOnePlus(2 * y / (1 - y))
    return x < 0 ? -magnitude : magnitude
}
