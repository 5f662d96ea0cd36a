import Tensors

/// How far values are from what they are compared with: sums of squares that are the same bits for any order and any grouping
/// of what is added.
public struct NoiseStatistics: Equatable, Sendable, Codable {
    /// Pairs of elements that count.
    public private(set) var count = 0
    /// Pairs left out: one of the two is NaN or infinite, or they could not be compared.
    public private(set) var leftOut = 0
    /// Of squares of the reference.
    private var signal = ExactTotal()
    /// Of squared differences.
    private var error = ExactTotal()

    enum CodingKeys: String, CodingKey {
        case count, signal, error
        case leftOut = "left_out"
    }

    /// Of no values.
    public init() {}

    /// Whether thousands of these can be added up: none has a negative count or one above 2^48.
    public var isAddable: Bool { [count, leftOut].allSatisfy { (0...1 << 48).contains($0) } }

    /// Adds what was compared elsewhere. Commutative and associative, exactly.
    public mutating func merge(_ other: NoiseStatistics) {
        count += other.count
        leftOut += other.leftOut
        signal.merge(other.signal)
        error.merge(other.error)
    }

    /// Adds elements in pairs. The squares of one call are added up in double precision, in one order.
    /// - Parameters:
    ///   - layoutZeros: how many pairs only fill up a layout, both zero, and do not count.
    /// - Precondition: as many values as there are in the reference.
    public mutating func add(
        _ values: UnsafeBufferPointer<Float>, comparedWith reference: UnsafeBufferPointer<Float>, layoutZeros: Int = 0
    ) {
        precondition(values.count == reference.count, "\(values.count) values and \(reference.count) of a reference")
        var sums = Self.sums(values, reference)
        var nonfinite = 0
        // Squares of finite floats are far below the greatest double.
        if !(sums.signal + sums.error).isFinite { (sums, nonfinite) = Self.finiteSums(values, reference) }
        count += values.count - layoutZeros - nonfinite
        leftOut += nonfinite
        signal.add(sums.signal)
        error.add(sums.error)
    }

    /// Counts pairs that cannot be compared.
    public mutating func leaveOut(_ count: Int) { leftOut += count }

    /// Mean squared difference; nil where nothing was compared.
    public var meanSquaredError: Double? { count > 0 ? error.value / Double(count) : nil }

    /// Signal to quantization noise in dB; nil where there is no signal, or no noise.
    public var signalToNoise: Double? {
        let (signal, error) = (signal.value, error.value)
        guard signal.isNormal, error.isNormal else { return nil }
        return 10 / logarithm(10) * (logarithm(signal) - logarithm(error))
    }

    private static func sums(
        _ values: UnsafeBufferPointer<Float>, _ reference: UnsafeBufferPointer<Float>
    ) -> (signal: Double, error: Double) {
        var signal = SIMD8<Double>.zero
        var error = SIMD8<Double>.zero
        let whole = values.count / 8 * 8
        for start in stride(from: 0, to: whole, by: 8) {
            var (x, y) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
            for lane in 0..<8 {
                x[lane] = Double(values[start + lane])
                y[lane] = Double(reference[start + lane])
            }
            let difference = x - y
            signal += y * y
            error += difference * difference
        }
        for index in whole..<values.count {
            let y = Double(reference[index])
            let difference = Double(values[index]) - y
            signal[index - whole] += y * y
            error[index - whole] += difference * difference
        }
        return ((0..<8).reduce(0) { $0 + signal[$1] }, (0..<8).reduce(0) { $0 + error[$1] })
    }

    private static func finiteSums(
        _ values: UnsafeBufferPointer<Float>, _ reference: UnsafeBufferPointer<Float>
    ) -> (sums: (signal: Double, error: Double), nonfinite: Int) {
        var (signal, error, nonfinite) = (0.0, 0.0, 0)
        for (value, y) in zip(values, reference) {
            guard value.isFinite, y.isFinite else {
                nonfinite += 1
                continue
            }
            let difference = Double(value) - Double(y)
            signal += Double(y) * Double(y)
            error += difference * difference
        }
        return ((signal, error), nonfinite)
    }
}
