import Cluster
import ClusterProtocol
import Foundation
import Passes
import Training

/// Every worker keeps the state; they exchange gradients among themselves and all take the same step. The coordinator has the
/// state of some step that it can go back to, and gets a newer one from the workers when it needs it.
struct ReplicatedDriver: StepDriver {
    private let context: StepContext
    /// A state that is here, and its digest.
    private var base: TrainingReplica
    private var baseDigest: Data
    /// Holds the base for workers that lack it.
    private var snapshot: ArtifactID?
    /// Of the workers' state.
    private var digest: Data
    /// That the steps so far have taken, for the display.
    private var samples = 0
    /// Whether workers wait for a newer base.
    private(set) var wantsReplica = false

    init(_ context: StepContext, from state: TrainingReplica) {
        self.context = context
        base = state
        baseDigest = state.digest
        digest = baseDigest
    }

    /// Gets the workers' state, which is the base from then on.
    /// - Throws: `ClusterError(.stateLost)`.
    mutating func replica() throws -> TrainingReplica {
        wantsReplica = false
        guard digest != baseDigest else { return base }
        let stretches = StateStretches(size: try TrainingReplica.size(of: context.plan))
        let outcome = try context.coordinator.run(
            pass: PassDescription(
                name: "state", descriptor: StateTransfer(of: digest).encoded(), shardCount: stretches.count,
                isJournaled: false, samplesBefore: samples),
            source: stretches, reducer: StateReducer())
        let state = try TrainingReplica(context.plan, decoding: outcome.state)
        guard state.digest == digest else { throw ClusterError(.replicasDiffer, pass: "state") }
        rebase(on: state)
        return state
    }

    /// Goes back to the base.
    mutating func rewind() -> TrainingReplica {
        digest = baseDigest
        return base
    }

    private mutating func rebase(on state: TrainingReplica) {
        base = state
        baseDigest = digest
        if let snapshot { context.coordinator.removeArtifact(snapshot) }
        snapshot = nil
    }

    mutating func take(_ step: Int, samplesBefore: Int) throws -> SlotSum {
        if digest == baseDigest, snapshot == nil { snapshot = context.coordinator.addArtifact(base.encoded()) }
        let offered = digest == baseDigest ? snapshot : nil
        let workload = context.workload(step, state: digest, snapshot: offered, isReduced: true)
        let outcome = try context.coordinator.run(
            pass: PassDescription(
                name: "train step \(step)", descriptor: workload.encoded(),
                artifacts: [context.model, context.task] + (offered.map { [$0] } ?? []),
                shardCount: context.composer.slots, isJournaled: false, samplesBefore: samplesBefore, isReduced: true,
                probe: workload.probeSubject()),
            source: context.slots(of: step), reducer: SlotReducer(step: step, layout: try ParameterLayout([])))
        digest = try StepOutcome(decoding: outcome.digest ?? Data()).state()
        wantsReplica = outcome.workersLackingState > 0
        let sum = try SlotSum(decoding: outcome.state, parameterCount: 0)
        samples = samplesBefore + sum.samples + sum.skipped
        return sum
    }
}
