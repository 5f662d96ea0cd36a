import Tensors
import Training

// Running values of batch norms lie among the values, but no optimizer moves them: what slots have found does.
extension TrainingReplica {
    /// A batch norm with its running values: what slots need to know to contribute to them.
    struct Running: Sendable {
        let normalization: BatchNormPlan.Normalization
        let mean: [Float]
        let variance: [Float]

        /// What a slot contributes.
        /// - Parameters:
        ///   - mean: [channels] of the slot's batch.
        ///   - variance: [channels], not corrected for the number of values.
        ///   - unbiasing: that correction.
        func contribution(
            _ rule: RunningStatistics, slot: Int, mean found: UnsafeBufferPointer<Float>,
            variance foundVariance: UnsafeBufferPointer<Float>, unbiasing: Double
        ) -> (mean: [Float], variance: [Float]) {
            var (ofMean, ofVariance): ([Float], [Float]) = ([], [])
            for channel in mean.indices {
                let part = rule.contribution(
                    slot: slot, mean: Double(found[channel]), variance: unbiasing * Double(foundVariance[channel]),
                    running: (mean[channel], variance[channel]), epsilon: normalization.epsilon)
                ofMean.append(part.mean)
                ofVariance.append(part.variance)
            }
            return (ofMean, ofVariance)
        }
    }

    /// In the graph's order; none where no batch norm is kept.
    var running: [Running] {
        (plan.batchNorms?.normalizations ?? []).map { normalization in
            func vector(_ name: String) -> [Float] { layout.range(of: name).map { Array(values[$0]) } ?? [] }
            return Running(
                normalization: normalization, mean: vector(normalization.mean),
                variance: vector(normalization.variance))
        }
    }

    /// Takes what slots have found out of a step's gradient, which is zero there then: neither its norm nor the optimizer
    /// sees it.
    func takeStatistics(outOf gradient: inout [Float]) -> [Float] {
        guard let start = statisticsStart else { return [] }
        defer { for index in start..<gradientCount { gradient[index] = 0 } }
        return Array(gradient[start..<gradientCount])
    }

    /// Moves the running values on.
    /// - Parameters:
    ///   - running: those before the step.
    ///   - sums: of what the slots contribute, as they lie in the layout.
    mutating func update(_ running: [Running], by sums: [Float]) {
        guard let start = statisticsStart else { return }
        for before in running {
            guard let means = layout.range(of: before.normalization.mean),
                let variances = layout.range(of: before.normalization.variance)
            else { continue }
            for channel in before.mean.indices {
                let (mean, variance) = (means.lowerBound + channel, variances.lowerBound + channel)
                (values[mean], values[variance]) = RunningStatistics.updated(
                    (before.mean[channel], before.variance[channel]), by: (sums[mean - start], sums[variance - start]),
                    epsilon: before.normalization.epsilon)
            }
        }
    }

    /// Where the running values begin: they are the last of what slots contribute to.
    private var statisticsStart: Int? {
        plan.batchNorms?.normalizations.first.flatMap { layout.range(of: $0.mean)?.lowerBound }
    }
}
