import Foundation

/// Random numbers that are a pure function of a key and a counter, so that a value does not depend on who draws it or
/// when. The generator is SplitMix64's output function (Steele, Lea and Flood, 2014) over `key + counter * gamma`.
public struct CounterRandom: Sendable, RandomNumberGenerator {
    private let key: UInt64
    private var counter: UInt64 = 0

    /// Streams with different keys are independent; the parts are mixed in order.
    public init(key parts: UInt64...) {
        key = parts.reduce(0x243F_6A88_85A3_08D3) { Self.mix($0 &+ 0x9E37_79B9_7F4A_7C15 ^ Self.mix($1)) }
    }

    /// The next number of the sequence, any with equal probability.
    public mutating func next() -> UInt64 {
        counter &+= 1
        return Self.mix(key &+ counter &* 0x9E37_79B9_7F4A_7C15)
    }

    /// Uniform in [0, 1), with 24 random bits.
    public mutating func uniform() -> Float {
        Float(next() >> 40) * 0x1p-24
    }

    /// Standard normal (Box and Muller).
    public mutating func normal() -> Float {
        let radius = (-2 * logarithm(Double((next() >> 11) + 1) * 0x1p-53)).squareRoot()
        let halfTurns = Double(next() >> 11) * 0x1p-52
        return Float(radius * cosineOfHalfTurns(halfTurns > 1 ? 2 - halfTurns : halfTurns))
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
