/// Counts of finite values other than zero, on a grid that depends on nothing but the greatest magnitude among them.
///
/// A value's bin is its sign and m = floor(|x| / width): m for a positive value, -1 - m for a negative one. Bins are
/// powers of two wide and aligned at zero, so a histogram of half the resolution arises by exact pairwise merging
/// (`bin >> 1`), and the histogram of a set of values is the same whatever the order and the parts it was counted in.
///
/// A range taken from the first batch (as the reference does), bins as wide as the data's range over a fixed number,
/// or a reservoir of samples would each make the outcome depend on who counted first.
public struct Histogram: Equatable, Sendable {
    /// The greatest magnitude falls into a bin m of `2^resolutionBits ..< 2^(resolutionBits + 1)`.
    public static let resolutionBits = 10
    /// No bin is narrower than 2^leastExponent, the least power of two whose inverse is still a power of two in `Float`
    /// range and whose multiples need no subnormals. Data below 2^-116 is so small that it shares fewer bins.
    public static let leastExponent = -126
    /// Bins that any histogram has at most for each sign.
    package static let binsPerSign = 1 << (resolutionBits + 1)

    /// Bins are `2^exponent` wide.
    public internal(set) var exponent: Int
    /// The bin of `counts[0]`.
    public internal(set) var firstBin: Int
    /// One per bin, from the bin of the least value to the bin of the greatest; the first and the last are not 0.
    public internal(set) var counts: [UInt64]

    /// Counts of bins that begin at `firstBin`.
    package init(exponent: Int, firstBin: Int, counts: [UInt64]) {
        self.exponent = exponent
        self.firstBin = firstBin
        self.counts = counts
    }

    /// In real units: a power of two.
    public var binWidth: Double { Double(sign: .plus, exponent: exponent, significand: 1) }

    /// The edge of bin `firstBin + index` that is lower on the real line.
    public func lowerEdge(_ index: Int) -> Double { Double(firstBin + index) * binWidth }

    /// The exponent for values whose greatest magnitude is `maximum`, which is positive and finite.
    package static func exponent(for maximum: Float) -> Int {
        max(Int(maximum.exponent) - resolutionBits, leastExponent)
    }

    /// The bin of a finite value other than zero, among bins of 2^exponent.
    package static func bin(of value: Float, exponent: Int) -> Int {
        let magnitude = Int(value.magnitude * Float(sign: .plus, exponent: -exponent, significand: 1))
        return value < 0 ? -1 - magnitude : magnitude
    }

    /// Merges 2^(exponent - self.exponent) neighbouring bins into one.
    package func coarsened(to exponent: Int) -> Histogram {
        precondition(exponent >= self.exponent, "bins cannot be split")
        // A shift of a bin of 12 bits by 63 leaves its sign, and so does every greater one.
        let shift = min(exponent - self.exponent, 63)
        let first = firstBin >> shift
        let last = (firstBin + counts.count - 1) >> shift
        var merged = [UInt64](repeating: 0, count: last - first + 1)
        for (index, count) in counts.enumerated() {
            merged[((firstBin + index) >> shift) - first] += count
        }
        return Histogram(exponent: exponent, firstBin: first, counts: merged)
    }

    mutating func merge(_ other: Histogram) {
        let common = max(exponent, other.exponent)
        let left = coarsened(to: common)
        let right = other.coarsened(to: common)
        let first = min(left.firstBin, right.firstBin)
        let end = max(left.firstBin + left.counts.count, right.firstBin + right.counts.count)
        var sums = [UInt64](repeating: 0, count: end - first)
        for part in [left, right] {
            for (index, count) in part.counts.enumerated() { sums[part.firstBin - first + index] += count }
        }
        self = Histogram(exponent: common, firstBin: first, counts: sums)
    }
}
