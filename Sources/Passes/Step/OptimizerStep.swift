import Cluster
import ClusterProtocol
import Foundation
import Support

/// An optimizer step, whose shards are the slots of its global batch. Workers compute the gradients of slots and, where they
/// reduce them among themselves, take the step.
package struct OptimizerStep: Workload {
    /// As in descriptors.
    package static let name = "step"

    /// Digest of the artifact that holds the training's `TrainingTask`.
    package var task: Data
    /// From 0.
    package var step: Int
    /// Of the step, from 0; augmentation depends on it.
    package var epoch: Int
    /// Of this step.
    package var learningRate: Double
    /// Digest of the state before the step.
    package var state: Data
    /// Digest of an artifact that holds this state, for whoever does not have it.
    package var snapshot: Data?
    /// Whether workers keep what their slots contribute, reduce it among themselves and take the step; else the gradient
    /// is a part of the result.
    package var isReduced: Bool

    package init(
        task: Data, step: Int, epoch: Int, learningRate: Double, state: Data, snapshot: Data?, isReduced: Bool
    ) {
        self.task = task
        self.step = step
        self.epoch = epoch
        self.learningRate = learningRate
        self.state = state
        self.snapshot = snapshot
        self.isReduced = isReduced
    }

    /// Takes the state from what the worker keeps, or from the snapshot.
    /// - Throws: `ShardFailure` of the code `stateMissing` where it has neither.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        let workspace = TrainingWorkspace.of(worker.memory)
        let (model, replica) = try workspace.model(for: self, worker)
        guard isReduced else { return try SlotExecutor(model, parts: nil) }
        let step = ReplicatedStep(self, model, from: replica, in: workspace)
        return ReplicatedStepExecutor(slots: try SlotExecutor(model, parts: step.parts), of: step)
    }

    /// One for all steps of a training.
    package func probeSubject() -> SHA256Digest? { SHA256Digest(of: Data("training probe".utf8) + task) }

    /// Loss and gradients of a slot of made-up samples, with the weights that the training began with.
    package func probe(_ worker: WorkerContext) throws -> SHA256Digest? {
        guard let subject = probeSubject() else { return nil }
        return try ProbeAnswers.of(worker.memory).answer(to: subject) {
            let model = try TrainingWorkspace.of(worker.memory).untrained(self, worker)
            return try SlotLane(model, parts: nil, memory: SlotMemory()).probe()
        }
    }

    /// Only what the worker does not keep from former steps.
    package func needs(_ artifact: ArtifactID, _ memory: WorkerMemory) -> Bool {
        TrainingWorkspace.of(memory).needs(artifact, for: self)
    }
}
