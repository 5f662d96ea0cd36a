import Cluster
import Datasets
import Foundation
import Graph
import ONNX
import Quantization
import Simulation
import Synchronization
import Tensors
import Training

/// What a worker keeps from one step of a training to the next: the model, and the replica of the training's state.
final class TrainingWorkspace: Sendable {
    private struct State {
        var specification: (id: Data, value: PassSpecification, task: TrainingTask)?
        var model: (id: Data, value: SharedModel, teacher: SharedModel?)?
        /// The value is nil while a step from it is taken, and where that step diverged.
        var replica: (digest: Data, value: TrainingReplica?)?

        func replica(of digest: Data) -> TrainingReplica? { replica?.digest == digest ? replica?.value : nil }
    }

    private let state = Mutex(State())
    /// Of the gradients of former steps, a MiB each but for the last parts': more than a step of 2^24 parameters needs.
    let sums = SumMemory(limit: 512)

    /// Which of a step's artifacts are needed, other than those that are kept in another form.
    func needs(_ artifact: ArtifactID, for step: TrainingStep) -> Bool {
        guard artifact.bytes == step.snapshot else { return true }
        return state.withLock { $0.specification?.id != step.specification || $0.replica(of: step.state) == nil }
    }

    /// What lanes compute the slots of a step with, and the state before it.
    func model(
        for step: TrainingStep, artifacts: (ArtifactID) throws -> Data
    ) throws -> (StepModel, PassSpecification, TrainingReplica) {
        let (specification, task) = try specification(step.specification, artifacts)
        let (model, teacher) = try model(specification, task, artifacts)
        let replica = try replica(of: step, task, artifacts)
        return (
            try StepModel(replica, model, teacher: teacher, task, step, output: specification.output), specification,
            replica
        )
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

    private func specification(
        _ id: Data, _ artifacts: (ArtifactID) throws -> Data
    ) throws -> (PassSpecification, TrainingTask) {
        if let known = state.withLock({ $0.specification }), known.id == id { return (known.value, known.task) }
        guard let artifact = ArtifactID(bytes: id) else { throw ShardFailure(permanent: true, code: "descriptor") }
        let specification = try PassSpecification(decoding: artifacts(artifact))
        guard case .training(let task) = specification.task else {
            throw ShardFailure(permanent: true, code: "descriptor")
        }
        // Of another job: nothing that was kept of the former means the same in this one, digests or not.
        state.withLock { $0 = State(specification: (id, specification, task)) }
        return (specification, task)
    }

    private func model(
        _ specification: PassSpecification, _ task: TrainingTask, _ artifacts: (ArtifactID) throws -> Data
    ) throws -> (model: SharedModel, teacher: SharedModel?) {
        if let known = state.withLock({ $0.model }), known.id == specification.model {
            return (known.value, known.teacher)
        }
        guard let id = ArtifactID(bytes: specification.model) else {
            throw ShardFailure(permanent: true, code: "descriptor")
        }
        let graph = try Graph(importing: ONNXFile(decoding: artifacts(id)))
        // Trained constants are fed with every step, the others never change.
        let model = SharedModel(try graph.simulatingParameters(specification.parameters))
        let teacher = task.loss.needsTeacher ? SharedModel(graph) : nil
        state.withLock { $0.model = (specification.model, model, teacher) }
        return (model, teacher)
    }

    private func replica(
        of step: TrainingStep, _ task: TrainingTask, _ artifacts: (ArtifactID) throws -> Data
    ) throws -> TrainingReplica {
        if let kept = state.withLock({ $0.replica(of: step.state) }) { return kept }
        guard let id = step.snapshot.flatMap({ ArtifactID(bytes: $0) }) else {
            throw ShardFailure(permanent: false, code: ShardFailure.stateMissing)
        }
        let replica = try TrainingReplica(task.replica, decoding: artifacts(id))
        guard replica.digest == step.state else { throw ShardFailure(permanent: true, code: "state") }
        state.withLock { $0.replica = (step.state, replica) }
        return replica
    }
}
