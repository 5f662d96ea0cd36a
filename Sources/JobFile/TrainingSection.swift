import Training

// The section `training`: quantization-aware training, as asked for.
extension JobFile {
    /// Quantization-aware training, as asked for.
    public struct Training: Equatable, Sendable {
        /// Of the whole training; the keys `epochs` or `steps`.
        public var duration: Duration
        /// What is made small.
        public var loss: Loss
        /// How gradients change weights and learned ranges.
        public var optimizer: OptimizerSettings
        /// The learning rate of each step.
        public var schedule: Schedule
        /// The norm that the gradient of all weights and ranges is scaled down to where its own is larger; nil where none.
        public var clipNorm: Double?
        /// Samples per optimizer step.
        public var globalBatch: Int
        /// Parts of a global batch whose gradients are computed apart; divides `globalBatch`.
        public var slots: Int
        /// What the order of samples and augmentation follow from.
        public var seed: Int
        /// Epochs without a better evaluation after which training stops; nil where it never does.
        public var patience: Int?
        /// Epochs from one evaluation to the next; the last epoch is evaluated in any case.
        public var evaluateEveryEpochs: Int
        /// Whether ranges stay as calibrated or are trained.
        public var ranges: RangeMode
        /// What becomes of the encodings of weights where ranges are static.
        public var weightEncodings: WeightEncodingMode
        /// Bits that gradients are exchanged in.
        public var precision: GradientPrecision
        /// What becomes of batch norms that the model has.
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

    /// How long training goes on.
    public enum Duration: Equatable, Sendable {
        /// Passes over all training samples.
        case epochs(Int)
        /// Optimizer steps.
        case steps(Int)
    }

    /// What training makes small.
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

    /// What becomes of batch norms in training.
    public enum BatchNorms: String, CaseIterable, Sendable, Codable {
        /// Folded into the layers before and behind them first; one that cannot be folded is as `frozen`.
        case folded
        /// Computes with the statistics of each slot, and is folded in the end.
        case kept
        /// Computes with its running values, which stay as they are.
        case frozen
    }
}

extension JobFile.Training {
    /// Optimizer steps of the whole training.
    package func stepCount(stepsPerEpoch: Int) -> Int {
        switch duration {
        case .epochs(let epochs): epochs * stepsPerEpoch
        case .steps(let steps): steps
        }
    }
}

// Written out because the duration is two keys of which one is present.
extension JobFile.Training: Encodable {
    /// In the keys of the job file, with defaults filled in; those of kept batch norms only where they are.
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
extension JobFile.Loss: Encodable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, temperature, axis, output
    }

    enum Name: String, CaseIterable, Encodable {
        case crossEntropy = "cross_entropy"
        case mse, distillation
    }

    /// A name, or a mapping.
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
