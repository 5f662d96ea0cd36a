/// The grid that a tensor, or one channel of it, is rounded to: `real = (q + offset) * delta` with `q` in `0...steps`.
///
/// ONNX says `scale` for delta and has `zero_point = -offset` on the unsigned grid.
public struct Encoding: Equatable, Hashable, Sendable, Codable {
    /// Bits of `q`, 1 to 32.
    public var bitwidth: Int
    /// The least and greatest grid point, in real units: `delta * offset` and `min + delta * steps`.
    public var min: Double
    /// The greatest grid point, in real units.
    public var max: Double
    /// Distance of neighbouring grid points, positive. Encodings that are computed here have a delta that a `Float`
    /// holds exactly, so what is simulated, what is written and what is read again is one number.
    public var delta: Double
    /// The least grid point over delta; zero or negative.
    public var offset: Int
    /// Whether the grid is meant to be centered at zero. A symmetric grid of 8 bits has the offset -128 (strict: -127).
    public var symmetric: Bool

    enum CodingKeys: String, CodingKey {
        case bitwidth, min, max, delta, offset
        case symmetric = "is_symmetric"
    }

    /// A grid as a file gives it, where nothing follows from anything else.
    public init(bitwidth: Int, min: Double, max: Double, delta: Double, offset: Int, symmetric: Bool) {
        self.bitwidth = bitwidth
        self.min = min
        self.max = max
        self.delta = delta
        self.offset = offset
        self.symmetric = symmetric
    }

    /// The grid with the given delta and offset; min and max follow.
    public init(bitwidth: Int, delta: Double, offset: Int, steps: Int, symmetric: Bool) {
        let min = delta * Double(offset)
        self.init(
            bitwidth: bitwidth, min: min, max: min + delta * Double(steps), delta: delta, offset: offset,
            symmetric: symmetric)
    }

    /// Grid points less one: `2^bitwidth - 1`, or one less on a strict symmetric grid.
    public var steps: Int { Int(((max - min) / delta).rounded()) }
}

extension Encoding {
    /// The encoding of a range of real values, by the rules of the reference implementation (aimet-onnx 2.42).
    ///
    /// The range is first widened to include zero. With N = 2^bitwidth - 1 (2^bitwidth - 2 where `strict`):
    /// - asymmetric: delta = (max - min) / N, offset = -clamp(round(-min / delta), 0, N);
    /// - symmetric: delta = max(max / floor(N/2), -min / ceil(N/2)), offset = -ceil(N/2). So [-1, 2] gives 2/127 but
    ///   [-2, 1] gives 2/128. Two bits have the positive divisor 2 in place of 1, which lets the greatest value clip
    ///   rather than leave the lower half of the grid unused.
    /// - `unsigned` applies to a symmetric encoding of values that are never negative: asymmetric with offset 0.
    ///
    /// Delta is not less than min(2^-23, 0.01 / N), and not so great that an end of the grid were beyond all floats. The offset is computed before delta is rounded to a `Float`, which is
    /// what the simulation divides by; min and max are then those of the rounded delta.
    /// - Parameters:
    ///   - min: finite.
    ///   - max: finite, not less than `min`.
    ///   - bitwidth: 2 to 32.
    ///   - strict: the symmetric grid has as many points below zero as above.
    public static func fromRange(
        min: Double, max: Double, bitwidth: Int, symmetric: Bool, strict: Bool = false, unsigned: Bool = false
    ) -> Encoding {
        precondition((1...32).contains(bitwidth), "no quantizer has \(bitwidth) bits")
        precondition(min.isFinite && max.isFinite && min <= max, "[\(min), \(max)] is not a range")
        let low = Swift.min(min, 0)
        let high = Swift.max(max, 0)
        let centered = symmetric && !(unsigned && low == 0)
        let steps = (1 << bitwidth) - (centered && strict ? 2 : 1)
        let floor = Swift.min(0x1p-23, 0.01 / Double(steps))
        let delta: Double
        if centered {
            let above = bitwidth == 2 && !strict ? 2 : steps / 2
            let below = steps - steps / 2
            delta = Swift.max(high / Double(above), -low / Double(below))
        } else {
            delta = (high - low) / Double(steps)
        }
        let bounded = Swift.max(delta, floor)
        let offset =
            centered
            ? -(steps - steps / 2)
            : -Int(Swift.min(Swift.max((-low / bounded).rounded(), 0), Double(steps)))
        let greatest = Double(Float.greatestFiniteMagnitude) / Double(Swift.max(-offset, offset + steps))
        var scale = Float(Swift.min(bounded, greatest))
        if Double(scale) > greatest { scale = scale.nextDown }
        return Encoding(
            bitwidth: bitwidth, delta: Double(scale), offset: offset, steps: steps, symmetric: symmetric)
    }

    /// The grid of values that are multiplied by a factor: delta is, and where the factor is negative, the ends change
    /// places. A grid that is centered keeps its offset, as targets want it: its least point, which has no opposite, is then moved
    /// by one step to the greatest, as in the reference. By a factor of zero the grid stays as it is.
    package func scaled(by factor: Double) -> Encoding {
        let delta = Double(Float(delta * abs(factor)))
        guard delta.isNormal, Float(delta).isNormal else { return self }
        let isCentered = symmetric && self.offset < 0
        let offset = factor < 0 && !isCentered ? -(offset + steps) : offset
        return Encoding(bitwidth: bitwidth, delta: delta, offset: offset, steps: steps, symmetric: symmetric)
    }
}
