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
        var replica: (digest: Data, value: TrainingReplica)?
    }

    private let state = Mutex(State())

    /// Which of a step's artifacts are needed, other than those that are kept in another form.
    func needs(_ artifact: ArtifactID, for step: TrainingStep) -> Bool {
        guard artifact.bytes == step.snapshot else { return true }
        return state.withLock { $0.replica?.digest != step.state }
    }

    /// What lanes compute the slots of a step with.
    func model(for step: TrainingStep, artifacts: (ArtifactID) throws -> Data) throws -> (StepModel, PassSpecification)
    {
        let (specification, task) = try specification(step.specification, artifacts)
        let (model, teacher) = try model(specification, task, artifacts)
        let replica = try replica(of: step, task, artifacts)
        return (
            try StepModel(replica, model, teacher: teacher, task, step, output: specification.output), specification
        )
    }

    /// The state of a digest.
    /// - Throws: `ShardFailure` of `stateMissing`.
    func replica(_ digest: Data) throws -> TrainingReplica {
        guard let kept = state.withLock({ $0.replica }), kept.digest == digest else {
            throw ShardFailure(permanent: false, code: ShardFailure.stateMissing)
        }
        return kept.value
    }

    /// Takes a step from the state before it.
    /// - Returns: the digest of the state after it.
    func take(_ step: TrainingStep, gradient: [Float]) throws -> Data {
        var replica = try replica(step.state)
        // The kept one goes, so that the arrays are changed in place.
        state.withLock { $0.replica = nil }
        try replica.step(gradient: gradient, learningRate: step.learningRate)
        let digest = replica.digest
        state.withLock { $0.replica = (digest, replica) }
        return digest
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
        state.withLock { $0.specification = (id, specification, task) }
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
        if let kept = state.withLock({ $0.replica }), kept.digest == step.state { return kept.value }
        guard let id = step.snapshot.flatMap({ ArtifactID(bytes: $0) }) else {
            throw ShardFailure(permanent: false, code: ShardFailure.stateMissing)
        }
        let replica = try TrainingReplica(task.replica, decoding: artifacts(id))
        guard replica.digest == step.state else { throw ShardFailure(permanent: true, code: "state") }
        state.withLock { $0.replica = (step.state, replica) }
        return replica
    }
}
