/// The losses of a training's steps, thinned out to a bounded number of points: each is the mean over as many steps as the
/// others, a number that follows from the length of the training alone.
public struct LossCurve: Codable, Equatable, Sendable {
    /// Keeps a report small, and is more than a plot has pixels for.
    public static let maximumPoints = 2000

    /// At least 1.
    public let stepsPerPoint: Int
    /// Each the mean over `stepsPerPoint` steps.
    private var means: [Float] = []
    /// Of the steps behind the last whole point.
    private var openSum = 0.0
    private var openCount = 0

    /// - Parameter stepCount: steps of the whole training.
    public init(stepCount: Int) {
        stepsPerPoint = max(1, (stepCount + Self.maximumPoints - 1) / Self.maximumPoints)
    }

    /// Takes the next step's loss.
    public mutating func append(_ loss: Float) {
        openSum += Double(loss)
        openCount += 1
        guard openCount == stepsPerPoint else { return }
        means.append(Float(openSum / Double(openCount)))
        (openSum, openCount) = (0, 0)
    }

    /// In order; the last one may be the mean over fewer steps than the others.
    public var losses: [Float] { openCount > 0 ? means + [Float(openSum / Double(openCount))] : means }

    /// The curve of a training that is over, whose last point is a point like the others.
    public var finished: LossCurve {
        var finished = self
        (finished.means, finished.openSum, finished.openCount) = (losses, 0, 0)
        return finished
    }

    private enum CodingKeys: String, CodingKey {
        case losses
        case stepsPerPoint = "steps_per_point"
        case openSum = "open_sum"
        case openCount = "open_count"
    }

    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        stepsPerPoint = try container.decode(Int.self, forKey: .stepsPerPoint)
        means = try container.decode([Float].self, forKey: .losses)
        openSum = try container.decodeIfPresent(Double.self, forKey: .openSum) ?? 0
        openCount = try container.decodeIfPresent(Int.self, forKey: .openCount) ?? 0
    }

    /// What is open is written only while the training runs: a report has none of it.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(stepsPerPoint, forKey: .stepsPerPoint)
        try container.encode(means, forKey: .losses)
        guard openCount > 0 else { return }
        try container.encode(openSum, forKey: .openSum)
        try container.encode(openCount, forKey: .openCount)
    }
}
