/// `entropy`: the range of least Kullback-Leibler divergence of the quantized distribution from that of the values, as
/// TensorRT and the reference choose it, for any bit width.
///
/// The divergence does not know how far away clipped values lie, so on heavy tails its minimum may have a far larger
/// squared error than no clipping at all. Ranges whose squared error is above that of the observed range are left out.
enum EntropyScheme {
    /// Nil where nothing finite was observed.
    static func encoding(for statistics: TensorStatistics, settings: QuantizerSettings) -> Encoding? {
        guard let (histogram, range) = RangeSearch<Double>.subject(statistics) else {
            return settings.observedRange(of: statistics)
        }
        let whole = settings.encoding(min: range.least, max: range.greatest)
        let divergence = QuantizationDivergence(histogram)
        // Every bin has a grid point of its own.
        if divergence.divergence(of: whole) == 0 { return whole }
        let cost = QuantizationCost(histogram)
        let limit = cost.errors(of: whole).plain
        let search = RangeSearch(settings: settings, range: range) { encoding in
            cost.errors(of: encoding).plain <= limit ? divergence.divergence(of: encoding) : .infinity
        }
        return search.leastCost()
    }
}
