import Foundation

extension Report {
    /// How training went.
    public struct Training: Codable, Equatable, Sendable {
        /// Optimizer steps.
        public var steps: Int
        /// In order; the last may have fewer steps than the others.
        public var epochs: [Epoch]
        /// The epoch, from 1, whose weights were exported: the best by evaluation top-1, of equal ones the earliest; the last
        /// where none was evaluated with labels; 0 where none was better than the model before training, which is exported.
        public var exportedEpoch: Int
        /// Of the quantized model before training with the evaluation samples, in percent.
        public var accuracyBefore: Double?
        /// The epoch, from 1, after which training stopped since `patience` epochs had brought nothing better.
        public var stoppedEarlyAfterEpoch: Int?
        /// Over all steps.
        public var lossCurve: LossCurve

        enum CodingKeys: String, CodingKey {
            case steps, epochs
            case exportedEpoch = "exported_epoch"
            case accuracyBefore = "accuracy_before"
            case stoppedEarlyAfterEpoch = "stopped_early_after_epoch"
            case lossCurve = "loss_curve"
        }

        /// How one epoch went.
        public struct Epoch: Codable, Equatable, Sendable {
            /// From 1.
            public var epoch: Int
            /// Steps that the epoch had; fewer than others where training ended within it.
            public var steps: Int
            /// Of the epoch's first step.
            public var learningRate: Double
            /// Mean over the steps, each with the weights that it began with.
            public var loss: Double
            /// Top-1 of the training samples, as the steps saw them (augmented), in percent.
            public var accuracy: Double?
            /// Of the quantized model at the epoch's end with the evaluation samples, in percent.
            public var evaluationAccuracy: Double?
            /// As `evaluationAccuracy`, of the five most probable classes.
            public var evaluationAccuracyTop5: Double?

            enum CodingKeys: String, CodingKey {
                case epoch, steps, loss, accuracy
                case learningRate = "learning_rate"
                case evaluationAccuracy = "evaluation_accuracy"
                case evaluationAccuracyTop5 = "evaluation_accuracy_top5"
            }

            public init(
                epoch: Int, steps: Int, learningRate: Double, loss: Double, accuracy: Double?,
                evaluationAccuracy: Double? = nil, evaluationAccuracyTop5: Double? = nil
            ) {
                self.epoch = epoch
                self.steps = steps
                self.learningRate = learningRate
                self.loss = loss
                self.accuracy = accuracy
                self.evaluationAccuracy = evaluationAccuracy
                self.evaluationAccuracyTop5 = evaluationAccuracyTop5
            }
        }

        public init(
            steps: Int, epochs: [Epoch], exportedEpoch: Int, accuracyBefore: Double? = nil,
            stoppedEarlyAfterEpoch: Int?, lossCurve: LossCurve
        ) {
            self.steps = steps
            self.epochs = epochs
            self.exportedEpoch = exportedEpoch
            self.accuracyBefore = accuracyBefore
            self.stoppedEarlyAfterEpoch = stoppedEarlyAfterEpoch
            self.lossCurve = lossCurve
        }

        /// How training ended, in a few words.
        package var outcome: String {
            if exportedEpoch == 0 {
                let best = epochs.compactMap(\.evaluationAccuracy).max()
                return "no epoch is better than the model before training, which is exported: evaluation top-1 "
                    + [accuracyBefore, best].map { $0.map { String(format: "%.2f %%", $0) } ?? "?" }
                    .joined(separator: ", with training at best ")
            }
            guard let exported = epochs.first(where: { $0.epoch == exportedEpoch }) else { return "no steps" }
            var text = "epoch \(exported.epoch) exported, loss \(String(format: "%.4f", exported.loss))"
            if let accuracy = exported.evaluationAccuracy {
                text += String(format: ", evaluation top-1 %.2f %%", accuracy)
            }
            if let epoch = stoppedEarlyAfterEpoch { text += ", stopped early after epoch \(epoch)" }
            return text
        }
    }
}
