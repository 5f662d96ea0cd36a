import Tensors
import Testing
import Training

struct RunningStatisticsTests {
    private static let epsilon: Float = 1e-5

    /// Steps of several slots against the rule slot by slot, in double precision.
    @Test(arguments: [0.1, 0.01, 0.9, 1])
    func followsTheSlotsInTheirOrder(_ momentum: Double) {
        var random = CounterRandom(key: 11)
        for slots in [1, 2, 7, 32] {
            let rule = RunningStatistics(momentum: momentum, slots: slots)
            var running: (mean: Float, variance: Float) = (-3, 0.25)
            var (mean, variance) = (Double(running.mean), Double(running.variance))
            for _ in 0..<4 {
                var sum = (mean: 0.0, variance: 0.0)
                let found = (0..<slots).map { _ in (Double(4 * random.normal()), Double(40 * random.uniform())) }
                for (slot, (batchMean, batchVariance)) in found.enumerated() {
                    let part = rule.contribution(
                        slot: slot, mean: batchMean, variance: batchVariance, running: running, epsilon: Self.epsilon)
                    sum.mean += Double(part.mean)
                    sum.variance += Double(part.variance)
                    mean = (1 - momentum) * mean + momentum * batchMean
                    variance = (1 - momentum) * variance + momentum * batchVariance
                }
                running = RunningStatistics.updated(
                    running, by: (Float(sum.mean), Float(sum.variance)), epsilon: Self.epsilon)
                #expect(abs(Double(running.mean) - mean) <= 2e-5 * max(1, abs(mean)))
                #expect(abs(Double(running.variance) - variance) <= 2e-5 * max(1, variance))
            }
        }
    }

    /// The weights of a step's slots and of what ran before are one.
    @Test func weightsAreShares() {
        let rule = RunningStatistics(momentum: 0.1, slots: 5)
        let kept = 0.9 * 0.9 * 0.9 * 0.9 * 0.9
        #expect(abs((0..<5).reduce(kept) { $0 + rule.weight(ofSlot: $1) } - 1) < 1e-15)
        #expect(rule.weight(ofSlot: 4) == 0.1 && rule.weight(ofSlot: 3) < 0.1)
    }

    @Test func aVarianceDoesNotGoBelowZero() {
        let (mean, variance) = RunningStatistics.updated((1, 0.5), by: (0, -2), epsilon: 0)
        #expect(mean == 1 && variance == 0)
        // Where nothing has varied so far, the unit is one.
        let rule = RunningStatistics(momentum: 1, slots: 1)
        let part = rule.contribution(slot: 0, mean: 2, variance: 3, running: (0, 0), epsilon: 0)
        #expect(RunningStatistics.updated((0, 0), by: part, epsilon: 0) == (2, 3))
    }
}
