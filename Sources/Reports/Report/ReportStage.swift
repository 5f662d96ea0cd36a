extension Report {
    /// One stage of the pipeline as it went.
    public struct Stage: Codable, Equatable, Sendable {
        /// What a stage does.
        public enum Kind: String, Codable, Sendable {
            case equalization, calibration, reconstruction, evaluation, training, analysis
        }

        /// Which form of the model an evaluation measured.
        public enum Model: String, Codable, Sendable {
            case fp32, quantized, trained
        }

        /// For people, such as `evaluate quantized`.
        public var name: String
        /// What the stage did.
        public var kind: Kind
        /// Of an evaluation; nil for other stages.
        public var model: Model?
        /// Samples that counted.
        public var samples: Int?
        /// Bad samples that were passed over.
        public var skipped: Int?
        /// Wall-clock time; of a stage over samples without start-up, from the first lease to the last commit.
        public var seconds: Double
        /// Of a training, the part of `seconds` that its first step took, in which every worker compiles the network.
        public var firstStepSeconds: Double?
        /// Samples whose label was the most probable class.
        public var correctTop1: Int?
        /// Samples whose label was among the five most probable classes.
        public var correctTop5: Int?
        /// Of the evaluated output beside that of the FP32 model, in dB, where samples have no labels; nil where there is no
        /// noise.
        public var signalToNoise: Double?
        /// Samples whose most probable class was that of the FP32 model, where samples have no labels.
        public var agreeingTop1: Int?
        /// What is to be known of the stage beyond its numbers, as it was said at the terminal; nil where there is nothing.
        public var notes: [String]?

        enum CodingKeys: String, CodingKey {
            case name, kind, model, samples, skipped, seconds, notes
            case firstStepSeconds = "first_step_seconds"
            case correctTop1 = "correct_top1"
            case correctTop5 = "correct_top5"
            case signalToNoise = "sqnr_db"
            case agreeingTop1 = "agreeing_top1"
        }

        /// A stage over samples.
        public init(_ name: String, kind: Kind, samples: Int, skipped: Int, seconds: Double) {
            self.name = name
            self.kind = kind
            self.samples = samples
            self.skipped = skipped
            self.seconds = seconds
        }

        /// An evaluation; `correctTop1` and `correctTop5` are nil where the samples have no labels.
        public init(
            _ name: String, evaluating model: Model, samples: Int, skipped: Int, seconds: Double, correctTop1: Int?,
            correctTop5: Int?
        ) {
            self.init(name, kind: .evaluation, samples: samples, skipped: skipped, seconds: seconds)
            self.model = model
            self.correctTop1 = correctTop1
            self.correctTop5 = correctTop5
        }

        /// The same stage with more to be known of it.
        public func noting(_ more: [String]) -> Stage {
            var stage = self
            if !more.isEmpty { stage.notes = (notes ?? []) + more }
            return stage
        }

        /// Nil where the samples have no labels, or there are none.
        public var top1Percent: Double? { percent(correctTop1) }
        /// As `top1Percent`, of the five most probable classes.
        public var top5Percent: Double? { percent(correctTop5) }
        /// Nil where the samples have labels, or the output is not scores of classes.
        public var agreeingPercent: Double? { percent(agreeingTop1) }

        private func percent(_ correct: Int?) -> Double? {
            guard let correct, let samples, samples > 0 else { return nil }
            return 100 * Double(correct) / Double(samples)
        }
    }
}
