import Cluster
import Foundation
import Passes
import Training

/// The coordinator keeps the state and adds the gradients up; workers get the state with every step. For workers that
/// cannot reach each other.
struct CentralDriver: StepDriver {
    private let context: StepContext
    private var state: TrainingReplica
    /// The state that was last asked for.
    private var base: TrainingReplica

    init(_ context: StepContext, from state: TrainingReplica) {
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
        let workload = context.workload(step, state: state.digest, snapshot: snapshot, isReduced: false)
        let outcome = try coordinator.run(
            pass: PassDescription(
                name: "train step \(step)", descriptor: workload.encoded(),
                artifacts: [context.model, context.task, snapshot], shardCount: context.composer.slots,
                isJournaled: false, samplesBefore: samplesBefore, probe: workload.probeSubject()),
            source: context.slots(of: step), reducer: SlotReducer(step: step, layout: layout))
        let sum = try SlotSum(decoding: outcome.state, parameterCount: layout.count)
        var gradient = sum.lossAndGradient.gradient
        SlotRounding.round(sum: &gradient, to: context.precision)
        try state.step(gradient: gradient, learningRate: context.learningRate(step))
        return sum
    }
}
