/// Samples per second over the last few seconds, from counts that only grow. Keeps a bounded number of points.
package struct RateMeter: Sendable {
    /// Seconds that the rate is taken over; and the least that says anything.
    static let window = 10.0
    static let least = 0.5
    /// Between points that are kept: bounds their number to `window / spacing` and two.
    static let spacing = 0.25

    private var points: [(seconds: Double, count: Int)] = []
    private var latest: (seconds: Double, count: Int)?

    /// Without any point, so without a rate.
    package init() {}

    /// - Parameter seconds: of a clock that never goes back.
    package mutating func record(_ count: Int, at seconds: Double) {
        latest = (seconds, count)
        if let last = points.last, seconds - last.seconds < Self.spacing { return }
        points.append((seconds, count))
        // One point beyond the window stays, so that the points kept always span it.
        while points.count > 2, points[1].seconds <= seconds - Self.window {
            points.removeFirst()
        }
    }

    /// Nil until the points span `least` seconds.
    package var perSecond: Double? {
        guard let first = points.first, let latest, latest.seconds - first.seconds >= Self.least else { return nil }
        return Double(latest.count - first.count) / (latest.seconds - first.seconds)
    }
}
