/// `mse`: the range of least squared error.
///
/// The reference tries all pairs of edges of 512 bins and takes the middle of each bin for its values. Here values are
/// spread over up to 4,095 bins, and a search over all magnitudes takes the place of the pairs.
enum SquaredErrorScheme {
    /// Nil where nothing finite was observed.
    static func encoding(for statistics: TensorStatistics, settings: QuantizerSettings) -> Encoding? {
        guard let (histogram, range) = RangeSearch<Double>.subject(statistics) else {
            return settings.observedRange(of: statistics)
        }
        let cost = QuantizationCost(histogram)
        return RangeSearch(settings: settings, range: range) { cost.errors(of: $0).plain }.leastCost()
    }
}
