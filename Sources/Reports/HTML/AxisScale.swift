import Foundation

/// A linear axis and the numbers that are written beside it: multiples of 1, 2 or 5 times a power of ten.
package struct AxisScale: Equatable {
    /// Where the axis begins: the first tick.
    package let lower: Double
    /// Where the axis ends: the last tick.
    package let upper: Double
    /// In ascending order, at one distance; at least two.
    package let ticks: [Double]
    /// Digits behind the point that tell the ticks apart.
    private let digits: Int

    /// The ends are ticks.
    /// - Parameters:
    ///   - values: finite numbers.
    ///   - count: about how many ticks.
    ///   - smallestStep: 1 for an axis of whole numbers.
    package init(covering values: ClosedRange<Double>, ticks count: Int, smallestStep: Double = 0) {
        precondition(values.lowerBound.isFinite && values.upperBound.isFinite, "an axis over \(values)")
        // Never so fine that ticks coincide.
        let magnitude = Swift.max(abs(values.lowerBound), abs(values.upperBound))
        let least = Swift.max(magnitude * 1e-9, smallestStep, 1e-12)
        let span = Swift.max(values.upperBound - values.lowerBound, least)
        let step = Swift.max(Self.nice(span / Double(Swift.max(count, 1))), Self.nice(least))
        let first = (values.lowerBound / step).rounded(.down)
        let last = Swift.max((values.upperBound / step).rounded(.up), first + 1)
        lower = first * step
        upper = last * step
        ticks = (0...Int(last - first)).map { (first + Double($0)) * step }
        digits = Swift.max(0, -Int(log10(step * 1.001).rounded(.down)))
    }

    /// The least of 1, 2, 5 times a power of ten that is not below `step`.
    private static func nice(_ step: Double) -> Double {
        let power = pow(10, log10(step).rounded(.down))
        let factor = [1.0, 2, 5].first { $0 * power >= step * (1 - 1e-9) } ?? 10
        return factor * power
    }

    /// A tick as it is written beside the axis.
    package func label(_ tick: Double) -> String {
        abs(tick) >= 1e6 || digits > 6 ? String(format: "%.2g", tick) : String(format: "%.\(digits)f", tick)
    }

    /// From 0 at the lower end to 1 at the upper.
    package func fraction(_ value: Double) -> Double { (value - lower) / (upper - lower) }
}
