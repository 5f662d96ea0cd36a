import Training

extension JobFile {
    /// Quantization-aware training, as asked for.
    public struct Training: Equatable, Sendable {
        public var duration: Duration
        public var loss: Loss
        public var optimizer: Optimizer
        public var schedule: Schedule?
        /// Samples per optimizer step.
        public var globalBatch: Int
        /// Parts of a global batch whose gradients are computed apart; divides `globalBatch`.
        public var slots: Int
        public var seed: Int
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
            case globalBatch = "global_batch"
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

    public enum Loss: String, CaseIterable, Sendable, Codable {
        case crossEntropy = "cross_entropy"
        case mse, distillation
    }

    public enum OptimizerName: String, CaseIterable, Sendable, Codable {
        case sgd
    }

    public struct Optimizer: Equatable, Sendable, Codable {
        public var name: OptimizerName
        public var learningRate: Double
        /// In [0, 1).
        public var momentum: Double

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, momentum
            case learningRate = "learning_rate"
        }
    }

    public struct Schedule: Equatable, Sendable, Codable {
        public var divideBy: Double
        public var everyEpochs: Int

        enum CodingKeys: String, CodingKey, CaseIterable {
            case divideBy = "divide_by"
            case everyEpochs = "every_epochs"
        }
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
        schedule = try container.decodeIfPresent(JobFile.Schedule.self, forKey: .schedule)
        globalBatch = try container.decode(Int.self, forKey: .globalBatch)
        slots = try container.decode(Int.self, forKey: .slots)
        seed = try container.decode(Int.self, forKey: .seed)
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
        try container.encodeIfPresent(schedule, forKey: .schedule)
        try container.encode(globalBatch, forKey: .globalBatch)
        try container.encode(slots, forKey: .slots)
        try container.encode(seed, forKey: .seed)
        try container.encode(ranges, forKey: .ranges)
        try container.encode(weightEncodings, forKey: .weightEncodings)
        try container.encode(precision, forKey: .precision)
        try container.encode(batchNorms, forKey: .batchNorms)
        guard batchNorms == .kept else { return }
        try container.encode(batchNormMomentum, forKey: .batchNormMomentum)
        try container.encode(reestimationBatches, forKey: .reestimationBatches)
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
