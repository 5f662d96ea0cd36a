/// The grid that a tensor, or one channel of it, is rounded to: `real = (q + offset) * delta` with `q` in `0...steps`.
///
/// ONNX says `scale` for delta and has `zero_point = -offset` on the unsigned grid.
public struct Encoding: Equatable, Hashable, Sendable, Codable {
    /// Bits of `q`, 1 to 32.
    public var bitwidth: Int
    /// The least and greatest grid point, in real units: `delta * offset` and `min + delta * steps`.
    public var min: Double
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
