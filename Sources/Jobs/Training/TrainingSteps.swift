import Cluster
import Datasets
import Foundation
import Training

/// Takes the steps of a training, wherever the state is kept and gradients are added up. All ways give the same bits.
protocol TrainingSteps {
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
struct TrainingContext {
    let coordinator: Coordinator
    let model: ArtifactID
    /// Holds the training's `PassSpecification`.
    let specification: ArtifactID
    let plan: ReplicaPlan
    let index: SampleIndex
    let composer: BatchComposer
    let schedule: Schedule
    let seed: UInt64
    let skipsBadSamples: Bool
    let precision: GradientPrecision

    func learningRate(_ step: Int) -> Double {
        schedule.learningRate(step: step, stepsPerEpoch: composer.stepsPerEpoch)
    }

    func slots(of step: Int) -> SlotShards {
        SlotShards(index, composer: composer, step: step, seed: seed, skipsBadSamples: skipsBadSamples)
    }

    /// - Parameter state: digest of the state before the step.
    func task(_ step: Int, state: Data, snapshot: ArtifactID?, isReduced: Bool) -> WorkerTask {
        .step(
            TrainingStep(
                specification: specification.bytes, step: step, epoch: composer.epoch(ofStep: step),
                learningRate: learningRate(step), state: state, snapshot: snapshot?.bytes, isReduced: isReduced))
    }
}

/// The coordinator keeps the state and adds the gradients up; workers get the state with every step. For workers that
/// cannot reach each other.
struct CentralSteps: TrainingSteps {
    private let context: TrainingContext
    private var state: TrainingReplica
    /// The state that was last asked for.
    private var base: TrainingReplica

    init(_ context: TrainingContext, from state: TrainingReplica) {
        self.context = context
        self.state = state
        base = state
    }

    mutating func replica() -> TrainingReplica {
        base = state
        return state
    }

    var wantsReplica: Bool { false }

    mutating func rewind() -> TrainingReplica {
        state = base
        return state
    }

    mutating func take(_ step: Int, samplesBefore: Int) throws -> SlotSum {
        let layout = try context.plan.gradientLayout()
        let coordinator = context.coordinator
        let snapshot = coordinator.addArtifact(state.encoded())
        defer { coordinator.removeArtifact(snapshot) }
        let task = context.task(step, state: state.digest, snapshot: snapshot, isReduced: false)
        let outcome = try coordinator.run(
            pass: PassDescription(
                name: "train step \(step)", descriptor: task.encoded(),
                artifacts: [context.model, context.specification, snapshot], shardCount: context.composer.slots,
                isJournaled: false, samplesBefore: samplesBefore),
            source: context.slots(of: step), reducer: SlotReducer(step: step, layout: layout))
        let sum = try SlotSum(decoding: outcome.state, parameterCount: layout.count)
        var gradient = sum.lossAndGradient.gradient
        SlotRounding.round(sum: &gradient, to: context.precision)
        try state.step(gradient: gradient, learningRate: context.learningRate(step))
        return sum
    }
}
