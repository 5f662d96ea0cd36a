import Cluster
import ClusterProtocol
import Datasets
import Foundation
import Passes
import Training

/// Takes the steps of a training, wherever the state is kept and gradients are added up. All ways give the same bits.
protocol StepDriver {
    /// Takes the step that follows the current state.
    /// - Returns: the loss and what else the slots tell.
    mutating func take(_ step: Int, samplesBefore: Int) throws -> SlotSum
    /// The current state.
    mutating func replica() throws -> TrainingReplica
    /// Whether workers wait for somebody to ask for the current state, which they lack.
    var wantsReplica: Bool { get }
    /// Goes back to the state that was last asked for.
    mutating func rewind() -> TrainingReplica
}

/// What the steps of a training are taken with.
struct StepContext {
    let coordinator: Coordinator
    let model: ArtifactID
    /// Holds the training's `TrainingTask`.
    let task: ArtifactID
    let plan: ReplicaPlan
    let index: SampleIndex
    let composer: BatchComposer
    let optimizer: OptimizerSettings
    let schedule: Schedule
    /// Steps of the whole training.
    let stepCount: Int
    let seed: UInt64
    let skipsBadSamples: Bool
    let precision: GradientPrecision

    func learningRate(_ step: Int) -> Double {
        schedule.learningRate(
            optimizer.learningRate, step: step, stepsPerEpoch: composer.stepsPerEpoch, stepCount: stepCount)
    }

    func slots(of step: Int) -> SlotShards {
        SlotShards(index, composer: composer, step: step, seed: seed, skipsBadSamples: skipsBadSamples)
    }

    /// - Parameters:
    ///   - state: digest of the state before the step.
    ///   - snapshot: holds this state, for whoever does not have it.
    func workload(_ step: Int, state: Data, snapshot: ArtifactID?, isReduced: Bool) -> OptimizerStep {
        OptimizerStep(
            task: task.bytes, step: step, epoch: composer.epoch(ofStep: step), learningRate: learningRate(step),
            state: state, snapshot: snapshot?.bytes, isReduced: isReduced)
    }
}
