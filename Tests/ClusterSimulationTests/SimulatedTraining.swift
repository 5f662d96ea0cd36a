import ClusterProtocol
import Foundation
import Messaging

/// The thread of a coordinator that trains, as `TrainingLoop`, `TrainingRun` and `ReplicatedDriver` do: what it does after a
/// pass, whichever way it ended.
final class SimulatedTraining {
    private enum Activity {
        case idle
        case step
        /// Fetches the state, for a checkpoint or for going on without exchanges.
        case replica(isForFallback: Bool)
    }

    private unowned let coordinator: SimulatedCoordinator
    private unowned let simulation: Simulation
    private var activity = Activity.idle
    /// Steps taken, also when `state` was fetched.
    private var steps: Int
    private var stateSteps: Int
    private var state: SimulatedReplica
    private var base: SimulatedReplica
    private var snapshot: ArtifactID?
    private var digest: Data
    private var wantsReplica = false
    private var isCentral = false
    private var disputed: Int?

    init(_ coordinator: SimulatedCoordinator) {
        self.coordinator = coordinator
        simulation = coordinator.simulation
        state = simulation.disk.checkpoint ?? simulation.expectedReplicas[0]
        steps = state.step
        stateSteps = steps
        base = state
        digest = state.digest
    }

    var isDone: Bool { steps == simulation.job.steps }

    /// Begins the next pass.
    func proceed() {
        let artifacts = [SimulatedCoordinator.artifact(1)]
        activity = .step
        if isCentral {
            snapshot = coordinator.add(artifact: state.encoded)
            coordinator.begin(
                .step(steps, state: state.digest, snapshot: snapshot, isReduced: false),
                artifacts: artifacts + [state.encoded])
            return
        }
        if digest == base.digest, snapshot == nil { snapshot = coordinator.add(artifact: base.encoded) }
        let offered = digest == base.digest ? snapshot : nil
        coordinator.begin(
            .step(steps, state: digest, snapshot: offered, isReduced: true),
            artifacts: artifacts + (offered == nil ? [] : [base.encoded]))
    }

    /// - Parameter results: by shard.
    func completed(_ done: CoordinatorState.PassCompletion, results: [Int: Data]) {
        switch activity {
        case .idle: simulation.violate("a pass ended that was not begun")
        case .step:
            let expected = simulation.expectedReplicas[steps + 1]
            if isCentral {
                let sums = (0..<simulation.job.parts).map { part in
                    results.values.reduce(0 as UInt64) {
                        $0 &+ (SimulatedReplica.number(Data($1.dropFirst(8 * part).prefix(8))) ?? 0)
                    }
                }
                state = state.stepped(sums: sums)
                digest = state.digest
                removeSnapshot()
                simulation.count("central steps")
            } else {
                digest = done.digest ?? Data()
                wantsReplica = done.workersLackingState > 0
                let summaries = simulation.expectedReplicas[steps]
                if results.contains(where: { $1 != summaries.summary(slot: $0) })
                    || results.count != simulation.job.slots
                {
                    simulation.violate("step \(steps) has other summaries than one worker alone")
                }
                simulation.count("reduced steps")
            }
            if digest != expected.digest {
                simulation.violate("step \(steps) led to another state than one worker alone")
            }
            steps += 1
            if isDone || steps % simulation.job.checkpointEvery == 0 || wantsReplica {
                fetch(isForFallback: false)
            } else {
                coordinator.trainOn()
            }
        case .replica(let isForFallback):
            let bytes = results.sorted { $0.key < $1.key }.reduce(into: Data()) { $0.append($1.value) }
            guard let replica = SimulatedReplica(decoding: bytes), replica.digest == digest else {
                simulation.violate("another state was fetched than asked for")
                return
            }
            simulation.count("state transfers")
            base = replica
            removeSnapshot()
            fetched(replica, isForFallback: isForFallback)
        }
    }

    func ended(_ error: ClusterError) {
        simulation.count("pass ended: \(error.code)")
        switch (activity, error.code) {
        case (.replica(isForFallback: true), .stateLost):
            rewind()
            fallBack()
        case (_, .stateLost):
            rewind()
            coordinator.trainOn()
        case (_, .replicasDiffer):
            if disputed == steps { simulation.violate("workers differ again at step \(steps)") }
            disputed = steps
            rewind()
            coordinator.trainOn()
        case (.step, .exchangeFailed) where !isCentral: fetch(isForFallback: true)
        default: simulation.violate("a pass ended: \(error)")
        }
    }

    private func fetch(isForFallback: Bool) {
        wantsReplica = false
        if isCentral || digest == base.digest {
            fetched(isCentral ? state : base, isForFallback: isForFallback)
            return
        }
        activity = .replica(isForFallback: isForFallback)
        coordinator.trainOn { [self] in coordinator.begin(.state(digest), artifacts: []) }
    }

    private func fetched(_ replica: SimulatedReplica, isForFallback: Bool) {
        state = replica
        stateSteps = steps
        if state != simulation.expectedReplicas[steps] { simulation.violate("another state than one worker alone") }
        if isForFallback {
            fallBack()
        } else {
            // A crash may come before it is written.
            coordinator.trainOn { [self] in
                simulation.disk.checkpoint = replica
                simulation.note("checkpoint of step \(replica.step)")
                coordinator.trainOn()
            }
        }
    }

    private func rewind() {
        simulation.count(steps == stateSteps ? "steps taken anew" : "rewinds")
        state = isCentral ? state : base
        digest = state.digest
        steps = isCentral ? steps : stateSteps
    }

    private func fallBack() {
        simulation.count("fallbacks")
        isCentral = true
        removeSnapshot()
        coordinator.trainOn()
    }

    private func removeSnapshot() {
        if let snapshot { coordinator.remove(artifact: snapshot) }
        snapshot = nil
    }
}
