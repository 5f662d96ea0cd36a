/// What a quantizer is set to.
public struct QuantizerSettings: Equatable, Hashable, Sendable, Codable {
    /// What the target holds the values as.
    public var dataType: DataType
    /// Of integers; the settings below are of no matter for other types either.
    public var bitwidth: Int
    /// Whether the grid is to be centered at zero.
    public var symmetric: Bool
    /// A symmetric grid has as many points below zero as above.
    public var strictSymmetric: Bool
    /// A symmetric quantizer of values that are never negative uses the whole grid for them.
    public var unsignedSymmetric: Bool
    /// How statistics become a grid.
    public var scheme: Scheme

    public init(
        dataType: DataType = .int, bitwidth: Int, symmetric: Bool = false, strictSymmetric: Bool = false,
        unsignedSymmetric: Bool = false, scheme: Scheme
    ) {
        self.dataType = dataType
        self.bitwidth = bitwidth
        self.symmetric = symmetric
        self.strictSymmetric = strictSymmetric
        self.unsignedSymmetric = unsignedSymmetric
        self.scheme = scheme
    }

    /// The encoding of what was observed; nil where nothing finite was. The same statistics give the same bits anywhere.
    public func encoding(for statistics: TensorStatistics) -> Encoding? {
        switch scheme {
        case .tf: observedRange(of: statistics)
        case .tfEnhanced: EnhancedScheme.encoding(for: statistics, settings: self)
        case .percentile(let percent): PercentileScheme.encoding(for: statistics, settings: self, percent: percent)
        case .mse: SquaredErrorScheme.encoding(for: statistics, settings: self)
        case .entropy: EntropyScheme.encoding(for: statistics, settings: self)
        }
    }

    /// The encoding of everything between the least and the greatest value; nil where nothing finite was observed.
    func observedRange(of statistics: TensorStatistics) -> Encoding? {
        guard let minimum = statistics.minimum, let maximum = statistics.maximum else { return nil }
        return encoding(min: Double(minimum), max: Double(maximum))
    }

    /// The encoding of a range.
    public func encoding(min: Double, max: Double) -> Encoding {
        Encoding.fromRange(
            min: min, max: max, bitwidth: bitwidth, symmetric: symmetric, strict: strictSymmetric,
            unsigned: unsignedSymmetric)
    }
}
