import Training

extension JobFile {
    /// Quantization-aware training, as asked for.
    public struct Training: Equatable, Sendable {
        public var duration: Duration
        public var loss: Loss
        public var optimizer: Optimizer
        public var schedule: Schedule
        /// The norm that the gradient of all weights and ranges is scaled down to where its own is larger; nil where none.
        public var clipNorm: Double?
        /// Samples per optimizer step.
        public var globalBatch: Int
        /// Parts of a global batch whose gradients are computed apart; divides `globalBatch`.
        public var slots: Int
        public var seed: Int
        /// Epochs without a better evaluation after which training stops; nil where it never does.
        public var patience: Int?
        /// Epochs from one evaluation to the next; the last epoch is evaluated in any case.
        public var evaluateEveryEpochs: Int
        package var ranges: ReplicaPlan.Ranges
        package var weightEncodings: ReplicaPlan.WeightEncodings
        package var precision: GradientPrecision
        public var batchNorms = BatchNorms.folded
        /// Share of a slot's statistics in the running ones; of `kept`.
        public var batchNormMomentum = 0.1
        /// Global batches over which statistics are averaged in the end, zero for none; of `kept`.
        public var reestimationBatches = 100

        enum CodingKeys: String, CodingKey, CaseIterable {
            case epochs, steps, loss, optimizer, schedule, slots, seed, ranges
            case clipNorm = "clip_norm"
            case globalBatch = "global_batch"
            case patience
            case evaluateEveryEpochs = "evaluate_every_epochs"
            case weightEncodings = "weight_encodings"
            case precision = "gradient_bits"
            case batchNorms = "batch_norms"
            case batchNormMomentum = "batch_norm_momentum"
            case reestimationBatches = "reestimation_batches"
        }
    }

    public enum Duration: Equatable, Sendable {
        case epochs(Int)
        case steps(Int)
    }

    public enum Loss: Equatable, Sendable {
        /// Of labels.
        case crossEntropy
        /// Of targets among the samples' arrays, or of the FP32 model's outputs.
        case mse
        /// Kullback-Leibler divergence from the FP32 model's classes.
        /// - Parameters:
        ///   - temperature: above 0.
        ///   - axis: of the classes, negative from behind.
        case distillation(temperature: Double, axis: Int)
        /// An output of the model, of one element: the mean loss of the samples that the model is given.
        case output(String)
    }

    public enum OptimizerName: String, CaseIterable, Sendable, Codable {
        case sgd, adam, adamw
    }

    /// What the named optimizer does not have is nil.
    public struct Optimizer: Equatable, Sendable, Codable {
        public var name: OptimizerName
        /// Above 0.
        public var learningRate: Double
        /// In [0, 1).
        public var momentum: Double?
        public var nesterov: Bool?
        /// Two, in [0, 1).
        public var betas: [Double]?
        /// Above 0.
        public var epsilon: Double?
        /// Of the weights; ranges do not decay.
        public var weightDecay: Double

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, momentum, nesterov, betas, epsilon
            case learningRate = "learning_rate"
            case weightDecay = "weight_decay"
        }
    }

    public enum Decay: String, CaseIterable, Sendable, Codable {
        case constant, divide, cosine
    }

    /// What the named decay does not have is nil.
    public struct Schedule: Equatable, Sendable, Codable {
        public var decay: Decay
        public var divideBy: Double?
        public var everyEpochs: Int?
        /// Share of the learning rate that is left in the end.
        public var finalShare: Double?
        /// Steps over which the rate grows to the full one.
        public var warmUpSteps: Int

        enum CodingKeys: String, CodingKey, CaseIterable {
            case decay
            case divideBy = "divide_by"
            case everyEpochs = "every_epochs"
            case finalShare = "final_share"
            case warmUpSteps = "warm_up_steps"
        }
    }
}

extension JobFile.Training {
    func stepCount(stepsPerEpoch: Int) -> Int {
        switch duration {
        case .epochs(let epochs): epochs * stepsPerEpoch
        case .steps(let steps): steps
        }
    }

    /// The learning rates of a training of so many steps.
    /// - Throws: `TrainingError(.invalidSetting)`.
    package func rates(steps: Int) throws -> Schedule {
        let decay: Schedule.Decay =
            switch schedule.decay {
            case .constant: .constant
            case .divide: .divide(by: schedule.divideBy ?? 1, everyEpochs: schedule.everyEpochs ?? 1)
            case .cosine: .cosine(steps: steps, lastShare: schedule.finalShare ?? 0)
            }
        return try Schedule(
            learningRate: optimizer.learningRate, decay: decay, warmUpSteps: schedule.warmUpSteps)
    }
}

extension JobFile.Optimizer {
    /// - Throws: `TrainingError(.invalidSetting)`.
    package func settings() throws -> OptimizerSettings {
        let (beta1, beta2) = (betas?.first ?? 0, betas?.last ?? 0)
        let rule: OptimizerSettings.Rule =
            switch name {
            case .sgd: .sgd(momentum: momentum ?? 0, nesterov: nesterov ?? false)
            case .adam: .adam(beta1: beta1, beta2: beta2, epsilon: epsilon ?? 0)
            case .adamw: .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon ?? 0)
            }
        return try OptimizerSettings(rule, weightDecay: weightDecay)
    }
}

// Written out because the duration is two keys of which one is present.
extension JobFile.Training: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let epochs = try container.decodeIfPresent(Int.self, forKey: .epochs) {
            duration = .epochs(epochs)
        } else {
            duration = .steps(try container.decode(Int.self, forKey: .steps))
        }
        loss = try container.decode(JobFile.Loss.self, forKey: .loss)
        optimizer = try container.decode(JobFile.Optimizer.self, forKey: .optimizer)
        schedule = try container.decode(JobFile.Schedule.self, forKey: .schedule)
        clipNorm = try container.decodeIfPresent(Double.self, forKey: .clipNorm)
        globalBatch = try container.decode(Int.self, forKey: .globalBatch)
        slots = try container.decode(Int.self, forKey: .slots)
        seed = try container.decode(Int.self, forKey: .seed)
        patience = try container.decodeIfPresent(Int.self, forKey: .patience)
        evaluateEveryEpochs = try container.decode(Int.self, forKey: .evaluateEveryEpochs)
        ranges = try container.decode(ReplicaPlan.Ranges.self, forKey: .ranges)
        weightEncodings = try container.decode(ReplicaPlan.WeightEncodings.self, forKey: .weightEncodings)
        precision = try container.decode(GradientPrecision.self, forKey: .precision)
        batchNorms = try container.decode(JobFile.BatchNorms.self, forKey: .batchNorms)
        batchNormMomentum =
            try container.decodeIfPresent(Double.self, forKey: .batchNormMomentum) ?? batchNormMomentum
        reestimationBatches =
            try container.decodeIfPresent(Int.self, forKey: .reestimationBatches) ?? reestimationBatches
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch duration {
        case .epochs(let count): try container.encode(count, forKey: .epochs)
        case .steps(let count): try container.encode(count, forKey: .steps)
        }
        try container.encode(loss, forKey: .loss)
        try container.encode(optimizer, forKey: .optimizer)
        try container.encode(schedule, forKey: .schedule)
        try container.encodeIfPresent(clipNorm, forKey: .clipNorm)
        try container.encode(globalBatch, forKey: .globalBatch)
        try container.encode(slots, forKey: .slots)
        try container.encode(seed, forKey: .seed)
        try container.encodeIfPresent(patience, forKey: .patience)
        try container.encode(evaluateEveryEpochs, forKey: .evaluateEveryEpochs)
        try container.encode(ranges, forKey: .ranges)
        try container.encode(weightEncodings, forKey: .weightEncodings)
        try container.encode(precision, forKey: .precision)
        try container.encode(batchNorms, forKey: .batchNorms)
        guard batchNorms == .kept else { return }
        try container.encode(batchNormMomentum, forKey: .batchNormMomentum)
        try container.encode(reestimationBatches, forKey: .reestimationBatches)
    }
}

/// Written as in the job file: a name, or a mapping where there is more to say.
extension JobFile.Loss: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, temperature, axis, output
    }

    enum Name: String, CaseIterable, Codable {
        case crossEntropy = "cross_entropy"
        case mse, distillation
    }

    public init(from decoder: any Decoder) throws {
        if let name = try? decoder.singleValueContainer().decode(Name.self) {
            self = name == .mse ? .mse : .crossEntropy
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let output = try container.decodeIfPresent(String.self, forKey: .output) {
            self = .output(output)
        } else {
            self = .distillation(
                temperature: try container.decode(Double.self, forKey: .temperature),
                axis: try container.decode(Int.self, forKey: .axis))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .crossEntropy, .mse:
            var container = encoder.singleValueContainer()
            try container.encode(self == .mse ? Name.mse : .crossEntropy)
        case .distillation(let temperature, let axis):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Name.distillation, forKey: .name)
            try container.encode(temperature, forKey: .temperature)
            try container.encode(axis, forKey: .axis)
        case .output(let name):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(name, forKey: .output)
        }
    }
}

/// Written as in the job file: a name or a path.
extension JobFile.ConfigSource: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        self = Self.names.contains(text) ? .named(text) : .path(text)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .named(let text), .path(let text): try container.encode(text)
        }
    }
}
