extension Report {
    /// How training went.
    public struct Training: Codable, Equatable, Sendable {
        /// Optimizer steps.
        public var steps: Int
        /// In order; the last may have fewer steps than the others.
        public var epochs: [Epoch]

        public struct Epoch: Codable, Equatable, Sendable {
            /// From 1.
            public var epoch: Int
            public var steps: Int
            /// Of the epoch's first step.
            public var learningRate: Double
            /// Mean over the steps, each with the weights that it began with.
            public var loss: Double
            /// Top-1 of the training samples, as the steps saw them (augmented), in percent.
            public var accuracy: Double?

            enum CodingKeys: String, CodingKey {
                case epoch, steps, loss, accuracy
                case learningRate = "learning_rate"
            }
        }
    }
}
