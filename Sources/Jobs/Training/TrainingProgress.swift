import Foundation
import Passes
import Reports
import Support
import Training

/// How far a training has come, for the report and the display. Kept with checkpoints.
package struct TrainingProgress: Codable, Equatable, Sendable {
    /// That steps computed, each as often as it was.
    package private(set) var samples = 0
    /// Samples that could not be decoded.
    package private(set) var skipped = 0
    /// Of some of these.
    package private(set) var badNames = BadSampleNames()
    /// Of the steps, in all lives of the job.
    package private(set) var seconds = 0.0
    /// Of the very first step, in which every worker compiles the network.
    package private(set) var firstStepSeconds: Double?
    /// One an epoch, the last perhaps not whole.
    package private(set) var epochs: [Epoch] = []
    /// Of the steps.
    package private(set) var losses: LossCurve
    /// Of the very first step.
    package private(set) var firstLoss: Float?
    /// Of the model before training, which competes with all epochs; nil where it was not evaluated.
    package let before: EvaluationResult?

    /// What the steps of an epoch came to.
    package struct Epoch: Codable, Equatable, Sendable {
        /// From 0.
        package var epoch: Int
        /// Taken so far.
        package var steps = 0
        /// Of the steps, without those that could not be decoded.
        package var samples = 0
        /// Samples whose label is known.
        package var labelled = 0
        /// Samples whose label was the likeliest class, as the steps saw them.
        package var correct = 0
        /// Sum over the steps.
        package var loss = 0.0
        /// Of its first step.
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
        /// Over all evaluation samples.
        package var result: EvaluationResult
        /// Of the pass, start-up excluded.
        package var seconds: Double
        /// SHA-256 of the pass's specification: another evaluation of the same would have the same result.
        package var specification: Data

        package init(_ result: EvaluationResult, seconds: Double, specification: Data) {
            self.result = result
            self.seconds = seconds
            self.specification = specification
        }
    }

    /// - Parameters:
    ///   - stepCount: steps of the whole training.
    ///   - before: of the model before training, over the samples that epochs are evaluated with.
    package init(stepCount: Int, before: EvaluationResult? = nil) {
        losses = LossCurve(stepCount: stepCount)
        self.before = before
    }

    /// Takes a step that was done.
    /// - Parameters:
    ///   - loss: mean over the global batch.
    ///   - epoch: of the step, from 0.
    ///   - seconds: wall-clock time of the step.
    package mutating func add(_ sum: SlotSum, loss: Float, epoch: Int, learningRate: Double, seconds: Double) {
        if epochs.last?.epoch != epoch { epochs.append(Epoch(epoch, learningRate: learningRate)) }
        epochs[epochs.count - 1].steps += 1
        epochs[epochs.count - 1].samples += sum.samples
        epochs[epochs.count - 1].labelled += sum.labelled
        epochs[epochs.count - 1].correct += sum.correct
        epochs[epochs.count - 1].loss += Double(loss)
        losses.append(loss)
        firstLoss = firstLoss ?? loss
        samples += sum.samples
        skipped += sum.skipped
        badNames.merge(sum.badNames)
        self.seconds += seconds
        firstStepSeconds = firstStepSeconds ?? seconds
    }

    /// Notes what came of evaluating the current state.
    package mutating func record(_ evaluation: Evaluation) {
        precondition(!epochs.isEmpty, "an evaluation before the first step")
        epochs[epochs.count - 1].evaluation = evaluation
    }

    /// Optimizer steps of all epochs.
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

// Which epoch's weights are the job's result, and when no better ones are expected. Both follow from the progress alone, so a
// resumed job decides as an undisturbed one does.
extension TrainingProgress {
    /// The epoch with the highest top-1 in its evaluation, of equal ones the earliest: more training that gains nothing is
    /// not preferred. Nil where no evaluation had labels.
    package var best: Epoch? {
        var best: (epoch: Epoch, result: EvaluationResult)?
        for epoch in epochs {
            guard let result = epoch.evaluation?.result, result.isLabelled else { continue }
            if let best, !result.isBetter(than: best.result) { continue }
            best = (epoch, result)
        }
        return best?.epoch
    }

    /// Whether no epoch was better than the model before training, which is the job's result then.
    package var isBeforeBest: Bool {
        guard let before, before.isLabelled, let best = best?.evaluation?.result else { return false }
        return !best.isBetter(than: before)
    }

    /// Steps taken until the end of the best epoch; 0 where training gained nothing.
    package var bestStep: Int? {
        guard let best else { return nil }
        if isBeforeBest { return 0 }
        return epochs.reduce(0) { $0 + ($1.epoch <= best.epoch ? $1.steps : 0) }
    }

    /// Whether the last evaluation says that training is to stop.
    /// - Parameter patience: epochs since the best one after which no better one is expected; nil for all of them.
    package func isExhausted(patience: Int?) -> Bool {
        guard let patience, let best, let last = epochs.last, last.evaluation != nil else { return false }
        return last.epoch - best.epoch >= patience
    }
}

// When a training has gone wrong without any number that is not finite.
extension TrainingProgress {
    /// Times the first step's loss that the mean over an epoch's steps may be. A training that learns comes below 1; a rate far
    /// too large spoils the weights within a step and the loss stays where it is or grows.
    private static let growthLimit = 1000.0
    /// Of the first loss, as it counts here: a model that is right from the start may lose all that and find it again.
    private static let leastFirstLoss = 0.01

    /// - Throws: `TrainingError(.diverged)` once the loss has grown without bound.
    package func checkGrowth() throws(TrainingError) {
        // One or two steps may be outliers.
        guard let firstLoss, let epoch = epochs.last, epoch.steps >= 3 || epochs.count >= 3 else { return }
        let bound = Self.growthLimit * max(Double(firstLoss), Self.leastFirstLoss)
        guard epoch.meanLoss > bound else { return }
        var error = TrainingError(
            .diverged, key: "loss",
            expected: "a mean loss of at most \(bound), \(Int(Self.growthLimit)) times the first",
            found: "\(epoch.meanLoss) over \(epoch.steps) steps")
        error.step = steps - 1
        throw error
    }
}

extension EvaluationResult {
    /// Whether a larger part of the samples was right, compared without rounding.
    fileprivate func isBetter(than other: EvaluationResult) -> Bool {
        top1.multipliedFullWidth(by: other.samples) > other.top1.multipliedFullWidth(by: samples)
    }
}

extension TrainingProgress {
    /// What a live line says of a training besides its samples.
    /// - Parameter loss: of the last step.
    package func note(loss: Float, epochCount: Int, stepCount: Int) -> String {
        var fields = [
            "epoch \((epochs.last?.epoch ?? 0) + 1)/\(grouped(epochCount))",
            "step \(grouped(steps))/\(grouped(stepCount))", String(format: "loss %.4f", loss),
        ]
        if let top1 = epochs.last(where: { $0.evaluation != nil })?.evaluation?.result.top1Percent {
            fields.append(String(format: "evaluation top-1 %.2f %%", top1))
        }
        return fields.joined(separator: "  ")
    }

    /// What is left on the screen of an epoch that is over.
    package var epochLine: String? {
        guard let epoch = epochs.last else { return nil }
        var fields = ["epoch \(epoch.epoch + 1)", String(format: "loss %.4f", epoch.meanLoss)]
        if let top1 = epoch.evaluation?.result.top1Percent {
            fields.append(String(format: "evaluation top-1 %.2f %%", top1))
            if best?.epoch == epoch.epoch {
                fields.append(isBeforeBest ? "not better than before training" : "best so far")
            }
        }
        return fields.joined(separator: "  ")
    }
}

extension Report.Training {
    /// - Parameter isStoppedEarly: training ended for want of patience, not of steps.
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
            exportedEpoch: progress.isBeforeBest ? 0 : (progress.best?.epoch ?? last) + 1,
            accuracyBefore: progress.before?.top1Percent,
            stoppedEarlyAfterEpoch: isStoppedEarly ? last + 1 : nil, lossCurve: progress.losses.finished)
    }
}
