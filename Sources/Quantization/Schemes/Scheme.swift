/// How statistics become an encoding.
public enum Scheme: Hashable, Sendable {
    /// The least and greatest value.
    case tf
    /// The range of least quantization error, clipping weighed three times.
    case tfEnhanced
    /// The range that leaves at most the rest to this percentage (above 50, at most 100) of the elements out on each side.
    case percentile(Double)
    /// The range of least squared quantization error.
    case mse
    /// The range whose quantized distribution diverges least from that of the values.
    case entropy

    /// A scheme as job files name it.
    public enum Name: String, Codable, CaseIterable, Sendable {
        case tf
        case tfEnhanced = "tf_enhanced"
        case percentile, mse, entropy
    }

    /// In percent.
    public static let defaultPercentile = 99.999

    /// Whether a number can be the percentage of `percentile`. From 50 down the two ends of the range would pass each other.
    public static func isPercentile(_ percent: Double) -> Bool { percent > 50 && percent <= 100 }

    /// - Parameter percentile: what `percentile` is set to; the other schemes have no use for it.
    public init(_ name: Name, percentile: Double = defaultPercentile) {
        self =
            switch name {
            case .tf: .tf
            case .tfEnhanced: .tfEnhanced
            case .percentile: .percentile(percentile)
            case .mse: .mse
            case .entropy: .entropy
            }
    }

    /// What job files call the scheme.
    public var name: Name {
        switch self {
        case .tf: .tf
        case .tfEnhanced: .tfEnhanced
        case .percentile: .percentile
        case .mse: .mse
        case .entropy: .entropy
        }
    }
}

/// A name, or a mapping from the name to what it is set to.
extension Scheme: Codable {
    enum CodingKeys: String, CodingKey {
        case percentile
    }

    /// - Throws: `DecodingError`, also for a percentile out of range.
    public init(from decoder: any Decoder) throws {
        if let name = try? decoder.singleValueContainer().decode(Name.self) {
            self.init(name)
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let percent = try container.decode(Double.self, forKey: .percentile)
        guard Self.isPercentile(percent) else {
            throw DecodingError.dataCorruptedError(
                forKey: .percentile, in: container, debugDescription: "\(percent) is not above 50 and at most 100")
        }
        self = .percentile(percent)
    }

    /// A name, or a mapping for `percentile`.
    public func encode(to encoder: any Encoder) throws {
        if case .percentile(let percent) = self {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(percent, forKey: .percentile)
        } else {
            var container = encoder.singleValueContainer()
            try container.encode(name)
        }
    }
}
