import Cluster
import Foundation
import Support
import Synchronization
import Training

/// What the lanes of a worker contribute to an optimizer step, and the step itself, taken once the gradient of all slots is
/// there.
final class ReplicatedStep: PartReduction {
    let parts: GradientParts
    private let step: OptimizerStep
    private let workspace: TrainingWorkspace
    private let state: Mutex<State>

    private struct State {
        /// The state before the step, until it is taken: of its own, whatever becomes of the workspace's in between.
        var replica: TrainingReplica?
        /// What the step has led to, once it is taken.
        var outcome: Result<Data, any Error>?
    }

    /// - Parameter replica: the state before the step.
    init(_ step: OptimizerStep, _ model: StepModel, from replica: TrainingReplica, in workspace: TrainingWorkspace) {
        self.step = step
        self.workspace = workspace
        state = Mutex(State(replica: replica))
        parts = GradientParts(
            count: model.layout.count, precision: model.task.precision, memory: workspace.sums)
    }

    var partCount: Int { parts.partCount }
    func observe(_ progress: @escaping @Sendable () -> Void) { parts.observe(progress) }
    func isComplete(part: Int, shards: Set<Int>) -> Bool { parts.isComplete(part: part, slots: shards) }
    func contribution(part: Int) throws -> Data { parts.contribution(part: part) }
    func beginReducing(part: Int) throws { parts.beginReducing(part: part) }
    func add(_ contribution: Data, to part: Int) throws { try parts.add(contribution, to: part) }
    func reduced(part: Int) throws -> Data { try parts.reduced(part: part) }
    func install(_ reduced: Data, part: Int) throws { try parts.install(reduced, part: part) }

    func finish() throws -> Data {
        try state.withLock { state in
            if let outcome = state.outcome { return try outcome.get() }
            guard let gradient = parts.result(), var replica = state.replica.take() else {
                preconditionFailure("a step without its whole gradient")
            }
            let outcome = Result { try take(gradient, from: &replica) }
            state.outcome = outcome
            return try outcome.get()
        }
    }

    /// - Returns: an encoded `StepOutcome`.
    private func take(_ gradient: [Float], from replica: inout TrainingReplica) throws -> Data {
        // Where nobody else holds it, its arrays are changed in place.
        workspace.give(up: step.state)
        do {
            try replica.step(gradient: gradient, learningRate: step.learningRate)
        } catch let error as TrainingError {
            // All workers come to this, and agree on it.
            return try StepOutcome(error).encoded()
        }
        let digest = replica.digest
        workspace.advance(from: step.state, to: replica, digest)
        return try StepOutcome.state(digest).encoded()
    }
}

/// What workers tell of a step that they have taken: all the same.
package enum StepOutcome: Codable, Equatable {
    /// Digest of the state that it has led to.
    case state(Data)
    /// A step too long: where the first element is that is not finite.
    case divergence(tensor: String?, index: Int?, found: String?)

    init(_ error: TrainingError) {
        self = .divergence(tensor: error.key, index: error.index, found: error.found)
    }

    func encoded() throws -> Data { try stableJSON() }

    /// - Throws: `DecodingError`.
    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(StepOutcome.self, from: data)
    }

    /// The digest of the state.
    /// - Throws: `TrainingError(.notFinite)` where the step diverged.
    package func state() throws -> Data {
        switch self {
        case .state(let digest): return digest
        case .divergence(let tensor, let index, let found):
            throw TrainingError(.notFinite, key: tensor, index: index, found: found)
        }
    }
}

/// The slots of an optimizer step whose gradients stay with the workers.
struct ReplicatedStepExecutor: ReducingExecutor {
    private let slots: SlotExecutor
    let reduction: any PartReduction

    init(slots: SlotExecutor, of step: ReplicatedStep) {
        self.slots = slots
        reduction = step
    }

    func prepare(shard: Int, payload: Data) throws -> SlotBatch { try slots.prepare(shard: shard, payload: payload) }

    func makeLane(keeping memory: LaneMemory) throws -> SlotLane { try slots.makeLane(keeping: memory) }
}
