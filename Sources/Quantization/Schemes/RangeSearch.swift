/// Looks for the range whose grid costs least, among ranges that hold zero and lie within what was observed.
///
/// Candidates are taken in a fixed order and the first of least cost wins, so equal statistics give equal encodings.
struct RangeSearch<Cost> {
    /// A range with what its grid costs.
    struct Candidate {
        var low, high: Double
        var encoding: Encoding
        var cost: Cost
    }

    let settings: QuantizerSettings
    /// The observed range with zero in it.
    let least, greatest: Double
    private let cost: (Encoding) -> Cost

    init(settings: QuantizerSettings, range: (least: Double, greatest: Double), cost: @escaping (Encoding) -> Cost) {
        self.settings = settings
        (least, greatest) = range
        self.cost = cost
    }

    /// What there is to search over; nil where the observed range is the answer: nothing finite, nothing but zeros, or one
    /// value beside zero, which the observed range has on its grid.
    static func subject(
        _ statistics: TensorStatistics
    ) -> (histogram: Histogram, range: (least: Double, greatest: Double))? {
        guard let histogram = statistics.histogram, let minimum = statistics.leastNonzero,
            let maximum = statistics.greatestNonzero, minimum < maximum
        else { return nil }
        return (histogram, (Double(min(minimum, 0)), Double(max(maximum, 0))))
    }

    /// Whether the grid is centered at zero, so that a range has one end to choose.
    var isCentered: Bool { settings.symmetric && !(settings.unsignedSymmetric && least >= 0) }

    func candidate(low: Double, high: Double) -> Candidate {
        let encoding = settings.encoding(min: low, max: high)
        return Candidate(low: low, high: high, encoding: encoding, cost: cost(encoding))
    }

    /// The first of the least measure.
    func best(of candidates: [Candidate], by measure: (Cost) -> Double) -> Candidate {
        var best = candidates[0]
        for next in candidates.dropFirst() where measure(next.cost) < measure(best.cost) { best = next }
        return best
    }

    /// Moves the ends of the range as long as that lowers `measure`, in ever smaller steps.
    /// - Parameters:
    ///   - largestStep: the first steps, as a part of `length`.
    ///   - halvings: how often the steps are halved.
    ///   - length: what steps are parts of, for the range to move from.
    func descend(
        from start: Candidate, by measure: (Cost) -> Double, largestStep: Double, halvings: Int,
        of length: (Candidate) -> Double
    ) -> Candidate {
        var best = start
        var part = largestStep
        for _ in 0...halvings {
            // Every move lowers the measure, so this ends by itself; the bound is for ranges at the limits of Double.
            for _ in 0..<32 {
                let before = measure(best.cost)
                for (low, high) in moves(best, length(best) * part) where low < high {
                    let next = candidate(low: low, high: high)
                    if measure(next.cost) < measure(best.cost) { best = next }
                }
                if measure(best.cost) >= before { break }
            }
            part /= 2
        }
        return best
    }

    /// The neighbours of a range, whose ends lie a step further in or out. A centered range keeps its shape, and grows or
    /// shrinks by a step in all.
    private func moves(_ from: Candidate, _ step: Double) -> [(Double, Double)] {
        if isCentered {
            return [-step, step].map { step in
                let factor = 1 + step / (from.high - from.low)
                return (max(from.low * factor, least), min(from.high * factor, greatest))
            }
        }
        let directions = [(0.0, -step), (0, step), (-step, 0), (step, 0), (step, -step), (-step, step)]
        return directions.map { low, high in
            (min(max(from.low + low, least), 0), max(min(from.high + high, greatest), 0))
        }
    }
}

/// The search over all magnitudes: the tails of a distribution may reach a thousand times as far as its bulk.
extension RangeSearch where Cost == Double {
    /// Ends from the observed ones inwards, each the same part of the one before, down to the width of a bin of the
    /// histogram: eighths of an octave where one end is to be chosen, half octaves for pairs of ends. From the best of these
    /// the ends move in steps of 1/8 down to 1/512 of the range that is moved.
    func leastCost() -> Encoding {
        let candidates = ranges().map { candidate(low: $0, high: $1) }
        let order = candidates.indices.sorted { (candidates[$0].cost, $0) < (candidates[$1].cost, $1) }
        let refined = order.prefix(Self.starts).map { start in
            descend(from: candidates[start], by: { $0 }, largestStep: 1.0 / 8, halvings: 6) { $0.high - $0.low }
        }
        return best(of: refined) { $0 }.encoding
    }

    /// Ranges from which to move on. Costs have several minima, as offsets are whole numbers and bins move from one grid
    /// point to the next.
    private static var starts: Int { 4 }

    /// The observed range first.
    private func ranges() -> [(Double, Double)] {
        if isCentered {
            let factors = Self.shrinking(from: 1, to: 0x1p-10, by: Self.eighthOctave)
            return factors.map { (least * $0, greatest * $0) }
        }
        let smallest = max(-least, greatest) * 0x1p-10
        let ratio = least == 0 || greatest == 0 ? Self.eighthOctave : Self.halfOctave
        let lows = least == 0 ? [0] : Self.shrinking(from: -least, to: smallest, by: ratio) + [0]
        let highs = greatest == 0 ? [0] : Self.shrinking(from: greatest, to: smallest, by: ratio) + [0]
        return lows.flatMap { low in highs.map { (-low, $0) } }.filter { $0.0 < $0.1 }
    }

    private static func shrinking(from first: Double, to last: Double, by ratio: Double) -> [Double] {
        var values = [first]
        while let value = values.last, value * ratio >= last { values.append(value * ratio) }
        return values
    }

    /// 2^(-1/2) and 2^(-1/8)
    private static var halfOctave: Double { 0.707106781186547524 }
    private static var eighthOctave: Double { 0.917004043204671232 }
}
