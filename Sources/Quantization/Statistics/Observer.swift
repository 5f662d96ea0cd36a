import CKernels
import Support

/// Counts the elements of one tensor in one lane. Not `Sendable`: it is mutable memory of the lane's thread.
public final class Observer {
    /// Elements that both passes go over before the next are touched: 256 kB, which the second pass finds in cache.
    private static let blockSize = 1 << 16
    private static let lanes = Int(QS_HISTOGRAM_LANES)

    /// The variant of the kernels that it calls; all give the same bits.
    package let instructionSet: InstructionSet
    /// The counters are summed up before they hold more elements than this; one of them could hold them all.
    private let flushLimit: Int
    /// Everything but the histogram.
    private var scalars = TensorStatistics()
    /// What was flushed; its bins are no wider than those of `counters`.
    private var flushed: Histogram?
    /// Exponent of the bins of `counters`; nil until a finite value other than zero is seen.
    private var exponent: Int?
    /// Elements counted since the last flush.
    private var pending = 0
    /// [2 * binsPerSign][lanes], negative bins first. Allocated with the first value.
    private var counters: UnsafeMutableBufferPointer<UInt32>?

    /// - Parameter instructionSet: changes the time only.
    public convenience init(instructionSet: InstructionSet = .pinned) {
        self.init(instructionSet: instructionSet, flushLimit: Int(UInt32.max))
    }

    /// For tests, which cannot wait for 2^32 elements.
    package init(instructionSet: InstructionSet, flushLimit: Int) {
        self.instructionSet = instructionSet
        self.flushLimit = flushLimit
    }

    deinit { counters?.deallocate() }

    /// Adds `count` elements from `x` on.
    /// - Parameter layoutZeros: how many of them are padding of a blocked layout, exactly zero, and do not count.
    public func observe(_ x: UnsafePointer<Float>, count: Int, layoutZeros: Int = 0) {
        precondition(layoutZeros >= 0 && layoutZeros <= count, "\(layoutZeros) of \(count) elements cannot be padding")
        var zeros: UInt64 = 0
        var start = 0
        while start < count {
            let length = min(Self.blockSize, count - start)
            zeros += observeBlock(x + start, count: length)
            start += length
        }
        precondition(zeros >= layoutZeros, "the padding is not zero")
        scalars.count += UInt64(count - layoutZeros)
        scalars.zeroCount += zeros - UInt64(layoutZeros)
    }

    /// Returns the zeros among the elements.
    private func observeBlock(_ x: UnsafePointer<Float>, count: Int) -> UInt64 {
        var range = qs_empty_range()
        qs_range(instructionSet.isa, x, count, &range)
        scalars.nanCount += range.nans
        scalars.positiveInfinityCount += range.positive_infinities
        scalars.negativeInfinityCount += range.negative_infinities
        guard range.minimum <= range.maximum else { return range.zeros }
        // Before the extremes change: what is counted lies between the old ones.
        if pending + count > flushLimit { flush() }
        scalars.leastNonzero = min(scalars.leastNonzero ?? range.minimum, range.minimum)
        scalars.greatestNonzero = max(scalars.greatestNonzero ?? range.maximum, range.maximum)

        pending += count
        let needed = Histogram.exponent(for: max(-range.minimum, range.maximum))
        let counters = prepareCounters(exponent: needed)
        let current = max(exponent ?? needed, needed)
        exponent = current
        let scale = Float(sign: .plus, exponent: -current, significand: 1)
        qs_histogram(
            instructionSet.isa, x, count, &range, scale, counters + Histogram.binsPerSign * Self.lanes)
        return range.zeros
    }

    /// The counters, allocated and coarse enough for bins of 2^exponent.
    private func prepareCounters(exponent needed: Int) -> UnsafeMutablePointer<UInt32> {
        let buffer: UnsafeMutableBufferPointer<UInt32>
        if let counters {
            buffer = counters
        } else {
            buffer = .allocate(capacity: 2 * Histogram.binsPerSign * Self.lanes)
            buffer.initialize(repeating: 0)
            counters = buffer
        }
        if let exponent, needed > exponent { coarsen(buffer, shift: min(needed - exponent, 31)) }
        // The buffer is never empty.
        return buffer.baseAddress.unsafelyUnwrapped
    }

    /// Merges bins in place. Each moves towards zero, so going outwards none is overwritten before it was read.
    private func coarsen(_ counters: UnsafeMutableBufferPointer<UInt32>, shift: Int) {
        let origin = Histogram.binsPerSign
        for magnitude in 1..<Histogram.binsPerSign {
            for bin in [magnitude, -1 - magnitude] where bin >> shift != bin {
                for lane in 0..<Self.lanes {
                    let from = (origin + bin) * Self.lanes + lane
                    counters[(origin + bin >> shift) * Self.lanes + lane] += counters[from]
                    counters[from] = 0
                }
            }
        }
    }

    /// Sums the lanes of the counters; nil where nothing was counted. All bins lie between those of the extremes.
    private func summed() -> Histogram? {
        guard let counters, let exponent, let least = scalars.leastNonzero, let greatest = scalars.greatestNonzero
        else {
            return nil
        }
        let bins = Histogram.bin(of: least, exponent: exponent)...Histogram.bin(of: greatest, exponent: exponent)
        var sums = [UInt64](repeating: 0, count: bins.count)
        for (index, bin) in bins.enumerated() {
            let start = (Histogram.binsPerSign + bin) * Self.lanes
            for lane in start..<start + Self.lanes { sums[index] += UInt64(counters[lane]) }
        }
        return Histogram(exponent: exponent, firstBin: bins.lowerBound, counts: sums)
    }

    private func flush() {
        flushed = mergedHistogram()
        counters?.update(repeating: 0)
        pending = 0
    }

    private func mergedHistogram() -> Histogram? {
        guard var histogram = summed() else { return nil }
        if let flushed { histogram.merge(flushed) }
        return histogram
    }

    /// All that was observed since the last reset.
    public func statistics() -> TensorStatistics {
        var statistics = scalars
        statistics.histogram = mergedHistogram()
        return statistics
    }

    /// Forgets everything; memory is kept.
    public func reset() {
        scalars = TensorStatistics()
        flushed = nil
        exponent = nil
        pending = 0
        counters?.update(repeating: 0)
    }
}

@available(*, unavailable)
extension Observer: Sendable {}

extension TensorStatistics {
    /// The statistics of the elements of a constant.
    public init(observing elements: UnsafeBufferPointer<Float>) {
        let observer = Observer()
        if let start = elements.baseAddress { observer.observe(start, count: elements.count) }
        self = observer.statistics()
    }
}
