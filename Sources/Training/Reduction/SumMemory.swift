import Synchronization

/// Sums that nobody needs any more, for those of the next step: to clear memory takes a fraction of the time of getting it new.
public final class SumMemory: Sendable {
    /// By their elements.
    private let spare = Mutex<[Int: [ExactSum]]>([:])
    /// Sums of one size that are kept at most.
    private let limit: Int

    /// - Parameter limit: sums of one size that are kept at most.
    public init(limit: Int) {
        self.limit = limit
    }

    /// The sum of no vectors.
    func sum(count: Int) -> ExactSum {
        guard var sum = spare.withLock({ $0[count]?.popLast() }) else { return ExactSum(count: count) }
        sum.clear()
        return sum
    }

    func takeBack(_ sum: ExactSum) {
        spare.withLock { spare in
            guard spare[sum.count, default: []].count < limit else { return }
            spare[sum.count, default: []].append(sum)
        }
    }
}
