import ClusterProtocol
import Foundation
import Passes
import Training

/// A training on its way: what has been done, and what becomes of it when workers fail.
struct TrainingRun {
    private let context: StepContext
    private var steps: any StepDriver
    private(set) var progress: TrainingProgress
    /// The last state that was asked for, and how far it had come.
    private(set) var state: TrainingReplica
    private var stateProgress: TrainingProgress
    /// The step at which workers last came to different states.
    private var disputed: Int?

    init(_ context: StepContext, from state: TrainingReplica, _ progress: TrainingProgress) {
        self.context = context
        steps = ReplicatedDriver(context, from: state)
        self.progress = progress
        self.state = state
        stateProgress = progress
    }

    var wantsReplica: Bool { steps.wantsReplica }

    /// Takes the next step.
    /// - Returns: its loss; nil where it was not taken, or steps before it were lost.
    mutating func takeStep() throws -> Float? {
        let step = progress.steps
        let began = ContinuousClock.now
        do {
            let sum = try steps.take(step, samplesBefore: progress.samples + progress.skipped)
            progress.add(
                sum, loss: sum.loss, epoch: context.composer.epoch(ofStep: step),
                learningRate: context.learningRate(step), seconds: (ContinuousClock.now - began) / .seconds(1))
            try progress.checkGrowth()
            return sum.loss
        } catch let error as ClusterError {
            try recover(from: error, step)
            return nil
        } catch var error as TrainingError {
            error.step = step
            throw error
        }
    }

    /// Asks for the current state; nil where it was lost with steps before it.
    mutating func replica() throws -> TrainingReplica? {
        do {
            state = try steps.replica()
            stateProgress = progress
            return state
        } catch let error as ClusterError {
            try recover(from: error, progress.steps)
            return nil
        }
    }

    /// Notes what came of evaluating the state that was last asked for, before the next step.
    mutating func record(_ evaluation: TrainingProgress.Evaluation) {
        progress.record(evaluation)
        stateProgress = progress
    }

    private mutating func recover(from error: ClusterError, _ step: Int) throws {
        switch error.code {
        case .stateLost: rewind()
        case .replicasDiffer:
            // Once may be an accident of a machine's memory.
            guard disputed != step else { throw error }
            disputed = step
            rewind()
        case .exchangeFailed:
            // Without each other, workers need the coordinator to add up.
            if try replica() == nil { rewind() }
            steps = CentralDriver(context, from: state)
        default: throw error
        }
    }

    private mutating func rewind() {
        state = steps.rewind()
        progress = stateProgress
    }
}
