extension Report {
    /// How training went.
    public struct Training: Codable, Equatable, Sendable {
        /// Optimizer steps.
        public var steps: Int
        /// In order; the last may have fewer steps than the others.
        public var epochs: [Epoch]
        /// The epoch, from 1, whose weights were exported: the best by evaluation top-1, of equal ones the earliest; the last
        /// where none was evaluated with labels.
        public var exportedEpoch: Int
        /// The epoch, from 1, after which training stopped since `patience` epochs had brought nothing better.
        public var stoppedEarlyAfterEpoch: Int?
        public var lossCurve: LossCurve

        enum CodingKeys: String, CodingKey {
            case steps, epochs
            case exportedEpoch = "exported_epoch"
            case stoppedEarlyAfterEpoch = "stopped_early_after_epoch"
            case lossCurve = "loss_curve"
        }

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
            /// Of the quantized model at the epoch's end with the evaluation samples, in percent.
            public var evaluationAccuracy: Double?
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

        /// The loss over the steps, at most 2,000 points.
        public struct LossCurve: Codable, Equatable, Sendable {
            public var stepsPerPoint: Int
            /// Each the mean over `stepsPerPoint` steps; the last perhaps over fewer.
            public var losses: [Float]

            enum CodingKeys: String, CodingKey {
                case losses
                case stepsPerPoint = "steps_per_point"
            }

            public init(stepsPerPoint: Int, losses: [Float]) {
                self.stepsPerPoint = stepsPerPoint
                self.losses = losses
            }
        }

        public init(
            steps: Int, epochs: [Epoch], exportedEpoch: Int, stoppedEarlyAfterEpoch: Int?, lossCurve: LossCurve
        ) {
            self.steps = steps
            self.epochs = epochs
            self.exportedEpoch = exportedEpoch
            self.stoppedEarlyAfterEpoch = stoppedEarlyAfterEpoch
            self.lossCurve = lossCurve
        }

        package init(_ progress: TrainingProgress, isStoppedEarly: Bool) {
            let last = progress.epochs.last?.epoch ?? 0
            self.init(
                steps: progress.steps,
                epochs: progress.epochs.map { epoch in
                    Epoch(
                        epoch: epoch.epoch + 1, steps: epoch.steps, learningRate: epoch.learningRate,
                        loss: epoch.meanLoss,
                        accuracy: epoch.samples > 0 && epoch.labelled == epoch.samples
                            ? 100 * Double(epoch.correct) / Double(epoch.samples) : nil,
                        evaluationAccuracy: epoch.evaluation?.result.top1Percent,
                        evaluationAccuracyTop5: epoch.evaluation?.result.top5Percent)
                },
                exportedEpoch: (progress.best?.epoch ?? last) + 1,
                stoppedEarlyAfterEpoch: isStoppedEarly ? last + 1 : nil,
                lossCurve: LossCurve(
                    stepsPerPoint: progress.losses.stepsPerPoint, losses: progress.losses.points))
        }
    }
}
