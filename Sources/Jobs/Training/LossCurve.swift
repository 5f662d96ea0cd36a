/// The losses of a training's steps, thinned out to a bounded number of points: each is the mean over as many steps as the
/// others, a number that follows from the length of the training alone.
package struct LossCurve: Codable, Equatable, Sendable {
    /// Keeps a report small, and is more than a plot has pixels for.
    package static let maximumPoints = 2000

    package let stepsPerPoint: Int
    private var means: [Float] = []
    /// Of the steps behind the last whole point.
    private var sum = 0.0
    private var count = 0

    /// - Parameter stepCount: steps of the whole training.
    package init(stepCount: Int) {
        stepsPerPoint = max(1, (stepCount + Self.maximumPoints - 1) / Self.maximumPoints)
    }

    /// Takes the next step's loss.
    package mutating func append(_ loss: Float) {
        sum += Double(loss)
        count += 1
        guard count == stepsPerPoint else { return }
        means.append(Float(sum / Double(count)))
        (sum, count) = (0, 0)
    }

    /// In order; the last one may be the mean over fewer steps than the others.
    package var points: [Float] { count > 0 ? means + [Float(sum / Double(count))] : means }
}
