import ClusterProtocol
import Foundation
import Quantization
import Simulation
import Synchronization
import Training

/// What a worker keeps from one step of a training to the next: the model, and the replica of the training's state.
final class TrainingWorkspace: Sendable {
    private struct State {
        var task: (id: Data, value: TrainingTask)?
        var models: (id: Data, value: TrainingModels)?
        /// The value is nil while a step from it is taken, and where that step diverged.
        var replica: (digest: Data, value: TrainingReplica?)?

        func replica(of digest: Data) -> TrainingReplica? { replica?.digest == digest ? replica?.value : nil }
    }

    /// The one that a worker has.
    static func of(_ memory: WorkerMemory) -> TrainingWorkspace { memory.value { TrainingWorkspace() } }

    private let state = Mutex(State())
    /// Of the gradients of former steps, a MiB each but for the last parts': more than a step of 2^24 parameters needs.
    let sums = SumMemory(limit: 512)

    /// Which of a step's artifacts are needed, other than those that are kept in another form.
    func needs(_ artifact: ArtifactID, for step: OptimizerStep) -> Bool {
        guard artifact.bytes == step.snapshot else { return true }
        return state.withLock { $0.task?.id != step.task || $0.replica(of: step.state) == nil }
    }

    /// What lanes compute the slots of a step with, and the state before it.
    func model(for step: OptimizerStep, _ worker: WorkerContext) throws -> (StepModel, TrainingReplica) {
        let task = try task(step.task, worker)
        let models = try models(task, worker)
        let replica = try replica(of: step, task, worker)
        return (try StepModel(replica, models, task, step), replica)
    }

    /// What lanes would compute with before the first step.
    func untrained(_ step: OptimizerStep, _ worker: WorkerContext) throws -> StepModel {
        let task = try task(step.task, worker)
        let models = try models(task, worker)
        return try StepModel(
            TrainingReplica(task.replica, of: models.trained.graph.constants), models, task, step)
    }

    /// The state of a digest.
    /// - Throws: `ShardFailure` of `stateMissing`.
    func replica(_ digest: Data) throws -> TrainingReplica {
        guard let kept = state.withLock({ $0.replica(of: digest) }) else {
            throw ShardFailure(permanent: false, code: ShardFailure.stateMissing)
        }
        return kept
    }

    /// Lets go of a state that a step is about to change in place.
    func give(up digest: Data) {
        state.withLock { state in
            if state.replica?.digest == digest { state.replica?.value = nil }
        }
    }

    /// Keeps what a step has led to, unless there is another state than the one it began with: the step ends late, and
    /// others have been taken or begun since.
    func advance(from before: Data, to replica: TrainingReplica, _ digest: Data) {
        state.withLock { state in
            if state.replica?.digest == before { state.replica = (digest, replica) }
        }
    }

    private func task(_ id: Data, _ worker: WorkerContext) throws -> TrainingTask {
        if let known = state.withLock({ $0.task }), known.id == id { return known.value }
        let task = try TrainingTask(decoding: worker.artifact(id))
        // Of another job: nothing that was kept of the former means the same in this one, digests or not.
        state.withLock { $0 = State(task: (id, task)) }
        return task
    }

    private func models(_ task: TrainingTask, _ worker: WorkerContext) throws -> TrainingModels {
        if let known = state.withLock({ $0.models }), known.id == task.pass.model { return known.value }
        let models = try TrainingModels(worker.graph(task.pass.model), task)
        state.withLock { $0.models = (task.pass.model, models) }
        return models
    }

    private func replica(
        of step: OptimizerStep, _ task: TrainingTask, _ worker: WorkerContext
    ) throws -> TrainingReplica {
        if let kept = state.withLock({ $0.replica(of: step.state) }) { return kept }
        guard let snapshot = step.snapshot else {
            throw ShardFailure(permanent: false, code: ShardFailure.stateMissing)
        }
        let replica = try TrainingReplica(task.replica, decoding: worker.artifact(snapshot))
        guard replica.digest == step.state else { throw ShardFailure(permanent: true, code: "state") }
        state.withLock { $0.replica = (step.state, replica) }
        return replica
    }
}
