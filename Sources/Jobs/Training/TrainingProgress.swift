import Foundation

/// How far a training has come, for the report and the display. Kept with checkpoints.
package struct TrainingProgress: Codable, Equatable, Sendable {
    package private(set) var samples = 0
    package private(set) var skipped = 0
    /// Of the steps, in all lives of the job.
    package private(set) var seconds = 0.0
    /// Of the very first step, in which every worker compiles the network.
    package private(set) var firstStepSeconds: Double?
    /// One an epoch, the last perhaps not whole.
    package private(set) var epochs: [Epoch] = []
    package private(set) var losses: LossCurve

    package struct Epoch: Codable, Equatable, Sendable {
        /// From 0.
        package var epoch: Int
        package var steps = 0
        package var samples = 0
        package var labelled = 0
        package var correct = 0
        /// Sum over the steps.
        package var loss = 0.0
        package var learningRate: Double
        /// Of the state at its end.
        package var evaluation: Evaluation?

        init(_ epoch: Int, learningRate: Double) {
            self.epoch = epoch
            self.learningRate = learningRate
        }

        /// Mean over the steps.
        package var meanLoss: Double { loss / Double(steps) }
    }

    /// What came of evaluating the model as it was at the end of an epoch.
    package struct Evaluation: Codable, Equatable, Sendable {
        package var result: EvaluationResult
        package var seconds: Double
        /// SHA-256 of the pass's specification: another evaluation of the same would have the same result.
        package var specification: Data

        package init(_ result: EvaluationResult, seconds: Double, specification: Data) {
            self.result = result
            self.seconds = seconds
            self.specification = specification
        }
    }

    /// - Parameter stepCount: steps of the whole training.
    package init(stepCount: Int) {
        losses = LossCurve(stepCount: stepCount)
    }

    package mutating func add(_ sum: SlotSum, loss: Float, epoch: Int, learningRate: Double, seconds: Double) {
        if epochs.last?.epoch != epoch { epochs.append(Epoch(epoch, learningRate: learningRate)) }
        epochs[epochs.count - 1].steps += 1
        epochs[epochs.count - 1].samples += sum.samples
        epochs[epochs.count - 1].labelled += sum.labelled
        epochs[epochs.count - 1].correct += sum.correct
        epochs[epochs.count - 1].loss += Double(loss)
        losses.append(loss)
        samples += sum.samples
        skipped += sum.skipped
        self.seconds += seconds
        firstStepSeconds = firstStepSeconds ?? seconds
    }

    /// Notes what came of evaluating the current state.
    package mutating func record(_ evaluation: Evaluation) {
        precondition(!epochs.isEmpty, "an evaluation before the first step")
        epochs[epochs.count - 1].evaluation = evaluation
    }

    package var steps: Int { epochs.reduce(0) { $0 + $1.steps } }

    /// The evaluations of all epochs added up; nil where there was none.
    package var evaluations: (samples: Int, skipped: Int, seconds: Double)? {
        let evaluations = epochs.compactMap(\.evaluation)
        guard !evaluations.isEmpty else { return nil }
        return evaluations.reduce((0, 0, 0)) {
            ($0.0 + $1.result.samples, $0.1 + $1.result.skipped, $0.2 + $1.seconds)
        }
    }
}
