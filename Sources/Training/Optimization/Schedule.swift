import Tensors

/// The learning rate of each step, as shares of an optimizer's. Written as in a job file:
/// `{decay: divide, divide_by: 10, every_epochs: 5, warm_up_steps: 0}`.
public struct Schedule: Equatable, Sendable, Codable {
    /// How the rate falls after the warm-up.
    public enum Decay: Equatable, Sendable {
        /// How a job file calls them.
        public enum Name: String, CaseIterable, Sendable, Codable {
            case constant, divide, cosine
        }

        case constant
        /// rate / divisor^floor(epoch / everyEpochs)
        case divide(by: Double, everyEpochs: Int)
        /// With t the share of the steps after the warm-up that are done: last + (rate - last) * (1 + cos(pi t)) / 2, where
        /// last = rate * finalShare. Behind the training's steps it stays at the last (Loshchilov and Hutter, 2017, without
        /// restarts).
        case cosine(finalShare: Double)

        /// As a job file calls it.
        public var name: Name {
            switch self {
            case .constant: .constant
            case .divide: .divide
            case .cosine: .cosine
            }
        }
    }

    /// How the rate falls after the warm-up.
    public var decay: Decay
    /// Steps over which the rate grows to what it would be: step i has (i + 1) / warmUpSteps of it.
    public var warmUpSteps: Int

    /// - Throws: `TrainingError(.invalidSetting)` that names the setting.
    public init(_ decay: Decay = .constant, warmUpSteps: Int = 0) throws(TrainingError) {
        func check(_ holds: Bool, _ key: String, _ expected: String, _ found: String) throws(TrainingError) {
            guard holds else { throw TrainingError(.invalidSetting, key: key, expected: expected, found: found) }
        }
        switch decay {
        case .constant: break
        case .divide(let divisor, let everyEpochs):
            try check(divisor > 0 && divisor.isFinite, "divide_by", "above 0", "\(divisor)")
            try check(everyEpochs > 0, "every_epochs", "1 or more", "\(everyEpochs)")
        case .cosine(let finalShare):
            try check((0...1).contains(finalShare), "final_share", "from 0 to 1", "\(finalShare)")
        }
        try check(warmUpSteps >= 0, "warm_up_steps", "0 or more", "\(warmUpSteps)")
        self.decay = decay
        self.warmUpSteps = warmUpSteps
    }

    /// - Parameters:
    ///   - rate: the optimizer's.
    ///   - step: from 0.
    ///   - stepsPerEpoch: positive.
    ///   - stepCount: steps of the whole training, positive.
    public func learningRate(_ rate: Double, step: Int, stepsPerEpoch: Int, stepCount: Int) -> Double {
        precondition(step >= 0 && stepsPerEpoch > 0, "step \(step) of \(stepsPerEpoch) an epoch")
        let decayed: Double
        switch decay {
        case .constant:
            decayed = rate
        case .divide(let divisor, let everyEpochs):
            decayed = rate / power(divisor, step / stepsPerEpoch / everyEpochs)
        case .cosine(let finalShare):
            let decaying = max(stepCount - warmUpSteps, 1)
            let share = Double(min(max(step - warmUpSteps, 0), decaying)) / Double(decaying)
            let last = rate * finalShare
            decayed = last + (rate - last) * (1 + cosineOfHalfTurns(share)) / 2
        }
        guard step < warmUpSteps else { return decayed }
        return decayed * Double(step + 1) / Double(warmUpSteps)
    }

    /// The keys of the job file.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case decay
        case divideBy = "divide_by"
        case everyEpochs = "every_epochs"
        case finalShare = "final_share"
        case warmUpSteps = "warm_up_steps"
    }

    /// - Throws: `DecodingError`; `TrainingError(.invalidSetting)` for values out of range.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let decay: Decay =
            switch try container.decode(Decay.Name.self, forKey: .decay) {
            case .constant: .constant
            case .divide:
                .divide(
                    by: try container.decode(Double.self, forKey: .divideBy),
                    everyEpochs: try container.decode(Int.self, forKey: .everyEpochs))
            case .cosine: .cosine(finalShare: try container.decode(Double.self, forKey: .finalShare))
            }
        try self.init(decay, warmUpSteps: container.decode(Int.self, forKey: .warmUpSteps))
    }

    /// In the keys of the job file, those of the decay alone.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(decay.name, forKey: .decay)
        switch decay {
        case .constant: break
        case .divide(let divisor, let everyEpochs):
            try container.encode(divisor, forKey: .divideBy)
            try container.encode(everyEpochs, forKey: .everyEpochs)
        case .cosine(let finalShare): try container.encode(finalShare, forKey: .finalShare)
        }
        try container.encode(warmUpSteps, forKey: .warmUpSteps)
    }
}
