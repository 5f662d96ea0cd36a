import ClusterProtocol
import Foundation
import Messaging
import Support
import Testing

/// Drives a state with events and keeps what it did.
struct CoordinatorScript {
    var state: CoordinatorState
    var now = Moment(nanoseconds: 0)
    var sequences: [PeerID: UInt64] = [:]

    init(limits: ProtocolLimits = ProtocolLimits(), epoch: UInt32 = 2) {
        state = CoordinatorState(
            identity: .init(job: "job", epoch: epoch, library: "lib 1", isa: "avx2"), limits: limits)
    }

    mutating func on(_ event: CoordinatorState.Event) -> [CoordinatorState.Action] {
        defer { #expect(state.invariantViolations().isEmpty) }
        return state.handle(event, now: now)
    }

    mutating func says(_ peer: PeerID, _ message: WorkerMessage) -> [CoordinatorState.Action] {
        let sequence = sequences[peer, default: 0] + 1
        sequences[peer] = sequence
        return on(
            .received(RoutingID(peer: peer, channel: .control), Envelope(sequence: sequence, message: message)))
    }

    mutating func beats(_ peer: PeerID, sent: UInt64? = nil) -> [CoordinatorState.Action] {
        let counts = HeartbeatMessage(sent: sent ?? sequences[peer] ?? 0, received: 0)
        return on(
            .received(
                RoutingID(peer: peer, channel: .heartbeat), Envelope(sequence: 0, message: .heartbeat(counts))))
    }

    mutating func joins(
        _ peer: PeerID, lanes: Int = 1, library: String = "lib 1", isas: [String] = ["sse41", "avx2"], port: Int = 0,
        machine: String = ""
    ) -> [CoordinatorState.Action] {
        says(
            peer,
            .hello(
                .init(
                    peer: peer, lanes: lanes,
                    compute: ComputeIdentity(library: library, supportedISAs: isas, machine: machine),
                    host: "h", process: 1, exchangePort: port)))
    }

    /// A pass of so many shards of one byte each.
    mutating func begins(
        shards: Int, committed: CommittedShards = CommittedShards(), isReduced: Bool = false,
        probe: Probe? = nil
    ) -> [CoordinatorState.Action] {
        var actions = on(
            .passBegan(
                .init(
                    pass: 0, name: "p", descriptor: Data("d".utf8), artifacts: [], committed: committed,
                    isReduced: isReduced, probe: probe)))
        for shard in 0..<shards where !committed.contains(shard) {
            actions += on(.shardRead(Shard(index: shard, sampleCount: 10, payload: Data([UInt8(shard)]))))
        }
        return actions + on(.sourceEnded(shards: shards))
    }

    mutating func results(_ peer: PeerID, _ lease: CoordinatorMessage.LeaseMessage, _ result: String = "r")
        -> [CoordinatorState.Action]
    {
        let data = Data(result.utf8)
        return says(
            peer,
            .result(
                .init(
                    pass: 0, shard: lease.shard, token: lease.token, digest: SHA256Digest(of: data),
                    size: data.count, computeNanoseconds: 5, chunk: data)))
    }

    mutating func waits(_ seconds: Double, _ peers: [PeerID] = []) -> [CoordinatorState.Action] {
        var actions: [CoordinatorState.Action] = []
        for _ in 0..<Int(seconds * 4) {
            now = now + .milliseconds(250)
            for peer in peers { actions += beats(peer) }
            actions += on(.tick)
        }
        return actions
    }
}

struct Completion: Equatable {
    var samples: Int
    var shards: Int
    var seconds: Double
}

extension [CoordinatorState.Action] {
    func messages(to peer: PeerID) -> [CoordinatorMessage] {
        compactMap { action in
            if case .send(let target, let envelope) = action, target.peer == peer, target.channel == .control {
                envelope.message
            } else {
                nil
            }
        }
    }

    func leases(to peer: PeerID) -> [CoordinatorMessage.LeaseMessage] {
        messages(to: peer).compactMap { if case .lease(let lease) = $0 { lease } else { nil } }
    }

    func acks(to peer: PeerID) -> [LeaseToken] {
        messages(to: peer).flatMap { if case .ack(let tokens) = $0 { tokens } else { [LeaseToken]() } }
    }

    var merges: [CoordinatorState.ReceivedResult] {
        compactMap { if case .merge(let result) = $0 { result } else { nil } }
    }

    var failures: [ClusterError] {
        compactMap { if case .jobFailed(let error) = $0 { error } else { nil } }
    }

    var completions: [Completion] {
        compactMap {
            if case .passCompleted(let done) = $0 {
                Completion(samples: done.samples, shards: done.shards, seconds: done.seconds)
            } else {
                nil
            }
        }
    }

    func plans(to peer: PeerID) -> [ExchangePlan] {
        messages(to: peer).compactMap { if case .exchange(let plan) = $0 { plan } else { nil } }
    }

    /// Passes that ended while the job goes on.
    var endings: [ClusterError] {
        compactMap { if case .passEnded(let error) = $0 { error } else { nil } }
    }

    var outcomes: [CoordinatorState.PassCompletion] {
        compactMap { if case .passCompleted(let done) = $0 { done } else { nil } }
    }

    var reads: Int {
        reduce(0) { if case .readShards(let count) = $1 { $0 + count } else { $0 } }
    }

    var logs: [String] {
        compactMap { if case .log(let event) = $0 { event.message } else { nil } }
    }
}
