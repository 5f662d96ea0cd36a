import Foundation
import Messaging
import Support

/// The coordinator's protocol as a value: events in, actions out. It has no sockets, no clock, no disk and no
/// randomness, so that a simulator can drive it through any history.
///
/// Delivery is at least once and the count exactly once: a lease may be given again after any doubt, results of one
/// shard are compared by digest, and only the first is merged.
package struct CoordinatorState {
    package struct Identity: Equatable, Sendable {
        package var job: String
        /// Greater in every life of the coordinator: tokens of former lives are recognised by it.
        package var epoch: UInt32
        /// Compared with a worker's as a whole.
        package var library: String
        package var isa: String

        package init(job: String, epoch: UInt32, library: String, isa: String) {
            self.job = job
            self.epoch = epoch
            self.library = library
            self.isa = isa
        }
    }

    package enum Event: Sendable {
        case received(RoutingID, Envelope<WorkerMessage>)
        /// Bytes that are no message; nil when the sender is not even named like a worker.
        case undecodable(RoutingID?, WireError)
        /// A message could not be sent: there is no such connection any more.
        case unreachable(RoutingID)
        case artifactAdded(ArtifactID, Data)
        case artifactRemoved(ArtifactID)
        case passBegan(PassStart)
        case shardRead(Shard)
        /// The source has no more shards than this many.
        case sourceEnded(shards: Int)
        /// The results of these shards are merged and durably so.
        case committed([Int])
        /// The result's bytes are not what its digest says; it was not merged.
        case resultRejected(shard: Int)
        /// The job cannot go on, for a reason outside of the protocol.
        case failed(ClusterError)
        case finish
        case tick
    }

    package enum Action: Sendable {
        case send(RoutingID, Envelope<CoordinatorMessage>)
        /// What is still to be sent to this peer need not be.
        case forget(PeerID)
        case readShards(Int)
        case merge(ReceivedResult)
        /// All results of the pass were handed over: commit them without waiting for more.
        case flush
        case passCompleted(PassCompletion)
        /// Without a result; another pass may follow.
        case passEnded(ClusterError)
        case jobFailed(ClusterError)
        case log(LogEvent)
    }

    package struct PassStart: Sendable {
        package var pass: Int
        package var name: String
        package var descriptor: Data
        package var artifacts: [ArtifactID]
        package var committed: CommittedShards
        /// One of many short passes that are not journaled is not worth a line of the log.
        package var isJournaled: Bool
        package var isReduced: Bool

        package init(
            pass: Int, name: String, descriptor: Data, artifacts: [ArtifactID], committed: CommittedShards,
            isJournaled: Bool = true, isReduced: Bool = false
        ) {
            self.pass = pass
            self.name = name
            self.descriptor = descriptor
            self.artifacts = artifacts
            self.committed = committed
            self.isJournaled = isJournaled
            self.isReduced = isReduced
        }
    }

    package struct PassCompletion: Equatable, Sendable {
        package var samples: Int
        package var shards: Int
        package var seconds: Double
        package var failedAttempts: Int
        /// Of a reduced pass.
        package var digest: Data?
        package var workersLackingState: Int
    }

    package struct ReceivedResult: Sendable {
        package var pass: Int
        package var shard: Int
        package var sampleCount: Int
        package var digest: SHA256Digest
        package var result: Data
        package var worker: String
        /// Since the pass's first lease in this life of the coordinator.
        package var elapsed: Duration
    }

    enum Phase: Equatable {
        case running
        case failed(ClusterError)
        case finishing
    }

    let identity: Identity
    let limits: ProtocolLimits
    var phase = Phase.running
    /// In the order of joining, so that nothing depends on the order of a hash table.
    var workers: [PeerID] = []
    var records: [PeerID: WorkerRecord] = [:]
    var expelled: Set<String> = []
    var artifacts: [ArtifactID: Data] = [:]
    var pass: PassRecord?
    var tokenCounter: UInt32 = 0
    var lastPulse: Moment?
    var actions: [Action] = []

    package init(identity: Identity, limits: ProtocolLimits) {
        self.identity = identity
        self.limits = limits
    }

    package mutating func handle(_ event: Event, now: Moment) -> [Action] {
        switch event {
        case .received(let source, let envelope): receive(envelope, from: source, now: now)
        case .undecodable(let source, let error): refuse(error, from: source, now: now)
        case .unreachable(let target):
            if records[target.peer] != nil { drop(target.peer, .unreachable, now: now) }
        case .artifactAdded(let id, let data): artifacts[id] = data
        case .artifactRemoved(let id): artifacts[id] = nil
        case .passBegan(let start): begin(start, now: now)
        case .shardRead(let shard): add(shard)
        case .sourceEnded(let count): pass?.totalShards = count
        case .committed(let shards): commit(shards, now: now)
        case .resultRejected(let shard): reject(shard, now: now)
        case .failed(let error): fail(error)
        case .finish: finish()
        case .tick: checkTimes(now: now)
        }
        if phase == .running {
            advanceReduction(now: now)
            lease(now: now)
            planReduction(now: now)
            endIfStateIsLost()
            completePassIfDone(now: now)
            read()
        }
        defer { actions.removeAll() }
        return actions
    }

    /// What the display of a job shows.
    package var workersAlive: Int { workers.count }

    package var lanesAlive: Int { workers.reduce(0) { $0 + (records[$1]?.hello.lanes ?? 0) } }

    package var isFinished: Bool { phase == .finishing && workers.isEmpty }

    mutating func log(_ event: LogEvent) {
        actions.append(.log(event))
    }

    /// Sends on the control connection, counted.
    mutating func send(_ message: CoordinatorMessage, to peer: PeerID) {
        guard let sent = records[peer]?.sent else { return }
        records[peer]?.sent = sent + 1
        actions.append(
            .send(RoutingID(peer: peer, channel: .control), Envelope(sequence: sent + 1, message: message)))
    }

    /// Sends outside of any session.
    mutating func sendUncounted(_ message: CoordinatorMessage, to target: RoutingID) {
        actions.append(.send(target, Envelope(sequence: 0, message: message)))
    }

    mutating func fail(_ error: ClusterError) {
        guard phase == .running else { return }
        phase = .failed(error)
        actions.append(.jobFailed(error))
        log(LogEvent(.error, "job failed", ["error.code": error.code.rawValue]))
        for peer in workers { send(.shutdown(reason: .jobFailed, detail: error.code.rawValue), to: peer) }
        pass = nil
    }

    mutating func finish() {
        if phase == .running {
            for peer in workers { send(.shutdown(reason: .finished, detail: ""), to: peer) }
        }
        phase = .finishing
        pass = nil
    }
}
