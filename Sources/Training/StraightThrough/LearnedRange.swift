import CKernels
import Quantization

/// Sums over the elements of a channel that the gradients of its range are made of. They may be added up over parts.
public struct RangeSums: Equatable, Sendable {
    /// D: the gradient of the loss with respect to delta.
    public var delta: Double
    /// O: the gradient with respect to the offset.
    public var offset: Double

    public init(delta: Double, offset: Double) {
        self.delta = delta
        self.offset = offset
    }

    init(_ sums: qs_range_sums, delta: Float = 0) {
        self.init(delta: sums.delta, offset: sums.outside * Double(delta))
    }
}

/// A range that is trained: the grid follows from min and max, which are parameters (range learning). The formulas are
/// the reference implementation's (aimet-torch 2.42), with N = 2^bitwidth - 1 steps:
///
///     delta  = (max - min) / N, not below the least
///     offset = clamp(round(min / delta), -N, 0), ties to even; -2^(bitwidth - 1) where symmetric
///     D = sum of g * (round(x / delta) - x / delta) inside the grid, of g * (nearest end / delta) outside
///     O = sum of g * delta outside
///
/// Rounding is passed over by the gradient, so where asymmetric
///
///     dmin = -D / N + O * (1 / delta + min / (N delta^2))
///     dmax =  D / N - O * min / (N delta^2)
///
/// and where symmetric dmin = -D / N, dmax = D / N.
public struct LearnedRange: Equatable, Sendable {
    /// The lower end, in real units; trained.
    public var min: Float
    /// The upper end, in real units; trained.
    public var max: Float
    /// 1 to 24.
    public let bitwidth: Int
    /// Whether the grid is centered at zero; then the two ends move together.
    public let symmetric: Bool

    /// - Parameter bitwidth: 1 to 24.
    public init(min: Float, max: Float, bitwidth: Int, symmetric: Bool) {
        precondition((1...24).contains(bitwidth), "no range of \(bitwidth) bits is learned")
        self.min = min
        self.max = max
        self.bitwidth = bitwidth
        self.symmetric = symmetric
    }

    /// The range of a grid, which has that grid as its encoding.
    public init(_ encoding: Encoding) {
        self.init(
            min: Float(encoding.min), max: Float(encoding.max), bitwidth: encoding.bitwidth,
            symmetric: encoding.symmetric && encoding.offset < 0)
    }

    private var steps: Int { (1 << bitwidth) - 1 }

    /// The grid, in `Float` arithmetic.
    public var encoding: Encoding {
        let least = Float(Swift.min(0x1p-23, 0.01 / Double(steps)))
        let delta = Swift.max(abs((max - min) / Float(steps)), least)
        let offset: Float
        if symmetric {
            offset = -Float(1 << (bitwidth - 1))
        } else {
            offset = Swift.min(Swift.max((min / delta).rounded(.toNearestOrEven), -Float(steps)), 0)
        }
        return Encoding(
            bitwidth: bitwidth, delta: Double(delta), offset: Int(offset), steps: steps, symmetric: symmetric)
    }

    /// The gradients of the loss with respect to min and max.
    public func gradient(_ sums: RangeSums) -> (min: Float, max: Float) {
        let delta = encoding.delta
        let share = sums.delta / Double(steps)
        guard !symmetric else { return (Float(-share), Float(share)) }
        let slope = sums.offset * Double(min) / (Double(steps) * delta * delta)
        return (Float(-share + sums.offset / delta + slope), Float(share - slope))
    }
}
