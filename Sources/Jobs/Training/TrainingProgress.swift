import Foundation

/// How far a training has come, for the report and the display. Kept with checkpoints.
struct TrainingProgress: Codable, Equatable, Sendable {
    var samples = 0
    var skipped = 0
    /// Of the stage, in all lives of the job.
    var seconds = 0.0
    /// One an epoch, the last perhaps not whole.
    var epochs: [Epoch] = []

    struct Epoch: Codable, Equatable, Sendable {
        /// From 0.
        var epoch: Int
        var steps = 0
        var samples = 0
        var labelled = 0
        var correct = 0
        /// Sum over the steps.
        var loss = 0.0
        var learningRate: Double

        init(_ epoch: Int, learningRate: Double) {
            self.epoch = epoch
            self.learningRate = learningRate
        }
    }

    mutating func add(_ sum: SlotSum, loss: Float, epoch: Int, learningRate: Double, seconds: Double) {
        if epochs.last?.epoch != epoch { epochs.append(Epoch(epoch, learningRate: learningRate)) }
        epochs[epochs.count - 1].steps += 1
        epochs[epochs.count - 1].samples += sum.samples
        epochs[epochs.count - 1].labelled += sum.labelled
        epochs[epochs.count - 1].correct += sum.correct
        epochs[epochs.count - 1].loss += Double(loss)
        samples += sum.samples
        skipped += sum.skipped
        self.seconds += seconds
    }

    var steps: Int { epochs.reduce(0) { $0 + $1.steps } }

    /// For the report.
    var summary: Report.Training {
        Report.Training(
            steps: steps,
            epochs: epochs.map { epoch in
                Report.Training.Epoch(
                    epoch: epoch.epoch + 1, steps: epoch.steps, learningRate: epoch.learningRate,
                    loss: epoch.loss / Double(epoch.steps),
                    accuracy: epoch.samples > 0 && epoch.labelled == epoch.samples
                        ? 100 * Double(epoch.correct) / Double(epoch.samples) : nil)
            })
    }
}
