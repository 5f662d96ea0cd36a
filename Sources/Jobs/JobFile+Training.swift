extension JobFile {
    /// Quantization-aware training, as asked for.
    public struct Training: Equatable, Sendable, Encodable {
        public var duration: Duration
        public var loss: Loss
        public var optimizer: Optimizer
        public var schedule: Schedule?
        /// Samples per optimizer step.
        public var globalBatch: Int
        /// Parts of a global batch whose gradients are computed apart; divides `globalBatch`.
        public var slots: Int
        public var seed: Int
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

    public struct Optimizer: Equatable, Sendable, Encodable {
        public var name: OptimizerName
        public var learningRate: Double
        /// In [0, 1).
        public var momentum: Double
    }

    public struct Schedule: Equatable, Sendable, Encodable {
        public var divideBy: Double
        public var everyEpochs: Int
    }
}

extension JobFile.Training {
    enum CodingKeys: String, CodingKey {
        case epochs, steps, loss, optimizer, schedule, globalBatch, slots, seed
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
    }
}

extension JobFile.ConfigSource: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .named(let text), .path(let text): try container.encode(text)
        }
    }
}
