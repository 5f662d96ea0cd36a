import Tensors

/// The learning rate of each step.
public struct Schedule: Equatable, Sendable, Codable {
    /// How the learning rate goes down after the warmup.
    public enum Decay: Equatable, Sendable, Codable {
        case constant
        /// rate / divisor^floor(epoch / everyEpochs)
        case divide(by: Double, everyEpochs: Int)
        /// With t the share of the steps after the warm-up that are done: last + (rate - last) * (1 + cos(pi t)) / 2, where
        /// last = rate * lastShare. After `steps` it stays at the last (Loshchilov and Hutter, 2017, without restarts).
        case cosine(steps: Int, lastShare: Double)
    }

    /// Positive.
    public var learningRate: Double
    public var decay: Decay
    /// Steps over which the rate grows to what it would be: step i has (i + 1) / warmUpSteps of it.
    public var warmUpSteps: Int

    /// - Throws: `TrainingError(.invalidSetting)` that names the setting.
    public init(learningRate: Double, decay: Decay = .constant, warmUpSteps: Int = 0) throws(TrainingError) {
        func check(_ holds: Bool, _ key: String, _ expected: String, _ found: String) throws(TrainingError) {
            guard holds else { throw TrainingError(.invalidSetting, key: key, expected: expected, found: found) }
        }
        try check(learningRate > 0 && learningRate.isFinite, "learning_rate", "above 0", "\(learningRate)")
        switch decay {
        case .constant: break
        case .divide(let divisor, let everyEpochs):
            try check(divisor > 0 && divisor.isFinite, "divide_by", "above 0", "\(divisor)")
            try check(everyEpochs > 0, "every_epochs", "1 or more", "\(everyEpochs)")
        case .cosine(let steps, let lastShare):
            try check(steps > 0, "steps", "1 or more", "\(steps)")
            try check((0...1).contains(lastShare), "last_share", "from 0 to 1", "\(lastShare)")
        }
        try check(warmUpSteps >= 0, "warm_up_steps", "0 or more", "\(warmUpSteps)")
        self.learningRate = learningRate
        self.decay = decay
        self.warmUpSteps = warmUpSteps
    }

    /// - Parameters:
    ///   - step: from 0.
    ///   - stepsPerEpoch: positive.
    public func learningRate(step: Int, stepsPerEpoch: Int) -> Double {
        precondition(step >= 0 && stepsPerEpoch > 0, "step \(step) of \(stepsPerEpoch) an epoch")
        let decayed: Double
        switch decay {
        case .constant:
            decayed = learningRate
        case .divide(let divisor, let everyEpochs):
            decayed = learningRate / power(divisor, step / stepsPerEpoch / everyEpochs)
        case .cosine(let steps, let lastShare):
            let decaying = max(steps - warmUpSteps, 1)
            let share = Double(min(max(step - warmUpSteps, 0), decaying)) / Double(decaying)
            let last = learningRate * lastShare
            decayed = last + (learningRate - last) * (1 + cosineOfHalfTurns(share)) / 2
        }
        guard step < warmUpSteps else { return decayed }
        return decayed * Double(step + 1) / Double(warmUpSteps)
    }
}
