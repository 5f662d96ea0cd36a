/// `percentile`: the range beyond which at most so many elements lie on either side.
///
/// All finite elements count, zeros too, which lie at exactly 0. Within a bin values are taken as spread evenly over the
/// part of it that lies between the least and the greatest value; so 100 percent is `tf`.
enum PercentileScheme {
    /// Nil where nothing finite was observed.
    /// - Parameter percent: above 50, at most 100.
    static func encoding(
        for statistics: TensorStatistics, settings: QuantizerSettings, percent: Double
    ) -> Encoding? {
        guard let histogram = statistics.histogram, let least = statistics.leastNonzero,
            let greatest = statistics.greatestNonzero
        else {
            return settings.observedRange(of: statistics)
        }
        let allowed = Double(statistics.finiteCount) * ((100 - percent) / 100)
        /// The part of a bin that values may lie in.
        func extent(_ index: Int) -> (lower: Double, length: Double, upper: Double) {
            let lower = max(histogram.lowerEdge(index), Double(least))
            let upper = min(histogram.lowerEdge(index + 1), Double(greatest))
            return (lower, upper - lower, upper)
        }
        let firstPositive = min(max(-histogram.firstBin, 0), histogram.counts.count)
        var (low, high) = (0.0, 0.0)
        if let (index, part) = histogram.reach(allowed, in: (firstPositive..<histogram.counts.count).reversed()) {
            high = extent(index).upper - extent(index).length * part
        }
        if let (index, part) = histogram.reach(allowed, in: 0..<firstPositive) {
            low = extent(index).lower + extent(index).length * part
        }
        // Where nearly all is zero, everything else would be clipped to zero: a grid that quantizes nothing.
        if low == 0, high == 0 { return settings.observedRange(of: statistics) }
        return settings.encoding(min: low, max: high)
    }
}

extension Histogram {
    /// The bin in which more than `allowed` elements have been passed, and how much of it is passed until then; nil where
    /// there are not so many.
    fileprivate func reach(_ allowed: Double, in indices: some Sequence<Int>) -> (index: Int, part: Double)? {
        var rest = allowed
        for index in indices {
            let count = Double(counts[index])
            if count > rest { return (index, rest / count) }
            rest -= count
        }
        return nil
    }
}
