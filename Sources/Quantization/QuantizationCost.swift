/// The squared error that rounding to a grid makes of what a histogram holds, values taken as spread evenly over their
/// bin. Sums over a range of bins are differences of prefix sums, so a grid costs one step per grid point, not per bin.
///
/// Everything is computed in units of the bin width, in double precision and in one order, so the same histogram gives
/// the same bits on every machine.
package struct QuantizationCost {
    /// What lies inside of the grid's range, and what is clipped to its ends: sums over all elements, in squared bin
    /// widths.
    package struct Errors: Equatable {
        package var rounding: Double
        package var clipping: Double

        /// The mean squared error times the number of elements.
        package var plain: Double { rounding + clipping }

        /// Clipping weighed three times, as the reference does: its errors are few and large, and fall on one side.
        package var weighted: Double { rounding + 3 * clipping }
    }

    /// Number, sum and sum of squares of the values below a point.
    private struct Moments {
        var count, sum, squares: Double

        static func - (left: Moments, right: Moments) -> Moments {
            Moments(count: left.count - right.count, sum: left.sum - right.sum, squares: left.squares - right.squares)
        }

        /// Sum of the squared distances to a point.
        func squaredDistances(to point: Double) -> Double {
            squares - 2 * point * sum + point * point * count
        }
    }

    private let binWidth: Double
    /// Lower edge of the first bin, in bin widths.
    private let start: Double
    private let counts: [Double]
    /// Of all values below each bin's lower edge; one more than bins.
    private let below: [Moments]

    package init(_ histogram: Histogram) {
        binWidth = histogram.binWidth
        start = Double(histogram.firstBin)
        counts = histogram.counts.map { Double($0) }
        var below = [Moments(count: 0, sum: 0, squares: 0)]
        below.reserveCapacity(counts.count + 1)
        for (index, count) in counts.enumerated() {
            let whole = Self.part(of: count, from: start + Double(index), length: 1)
            let last = below[index]
            below.append(
                Moments(
                    count: last.count + whole.count, sum: last.sum + whole.sum,
                    squares: last.squares + whole.squares))
        }
        self.below = below
    }

    /// The moments of a stretch at the lower end of a bin with `count` values.
    private static func part(of count: Double, from lower: Double, length: Double) -> Moments {
        let inside = count * length
        return Moments(
            count: inside, sum: inside * (lower + length / 2),
            squares: inside * (lower * lower + lower * length + length * length / 3))
    }

    /// Of all values below a point, in bin widths.
    private func moments(below point: Double) -> Moments {
        let position = point - start
        guard position > 0 else { return below[0] }
        let index = Int(Swift.min(position, Double(counts.count)))
        let edge = below[index]
        guard index < counts.count, counts[index] > 0 else { return edge }
        let rest = Self.part(of: counts[index], from: start + Double(index), length: position - Double(index))
        return Moments(count: edge.count + rest.count, sum: edge.sum + rest.sum, squares: edge.squares + rest.squares)
    }

    package func errors(of encoding: Encoding) -> Errors {
        let delta = encoding.delta / binWidth
        let steps = encoding.steps
        let least = delta * Double(encoding.offset)
        let greatest = delta * Double(encoding.offset + steps)
        let end = start + Double(counts.count)
        let belowLeast = moments(below: least)
        let belowGreatest = moments(below: greatest)
        let clipping =
            belowLeast.squaredDistances(to: least)
            + (below[counts.count] - belowGreatest).squaredDistances(to: greatest)
        // Where several grid points fall into a bin, an even spread over the bin is an even spread over their cells.
        if delta < 1 {
            return Errors(rounding: (belowGreatest - belowLeast).count * delta * delta / 12, clipping: clipping)
        }
        // Grid points whose cells hold values, counted from the least.
        let first = Int(Swift.min(Swift.max(((start - least) / delta).rounded(.down), 0), Double(steps)))
        let last = Int(Swift.min(Swift.max(((end - least) / delta).rounded(.up), 0), Double(steps)))
        var rounding = 0.0
        var lower = first == 0 ? belowLeast : moments(below: least + (Double(first) - 0.5) * delta)
        for point in first...last {
            let upper = point == steps ? belowGreatest : moments(below: least + (Double(point) + 0.5) * delta)
            rounding += (upper - lower).squaredDistances(to: least + Double(point) * delta)
            lower = upper
        }
        return Errors(rounding: rounding, clipping: clipping)
    }
}
