import ClusterProtocol
import Foundation
import Messaging
import Support
import Testing

/// Drives a state with events, as its connections, its lanes and the coordinator would.
struct WorkerScript {
    var state: WorkerState
    var now = Moment(nanoseconds: 0)
    var incarnation: UInt64 = 0
    var sequence: UInt64 = 0
    /// Artifacts that the executors of this worker do without.
    var unneeded: Set<ArtifactID> = []

    init(lanes: Int = 1, limits: ProtocolLimits = ProtocolLimits()) {
        state = WorkerState(
            identity: .init(
                worker: "w", lanes: lanes, compute: ComputeIdentity(library: "lib 1", supportedISAs: ["avx2"]),
                host: "h", process: 1),
            limits: limits)
    }

    mutating func on(_ event: WorkerState.Event) -> [WorkerState.Action] {
        var actions = state.handle(event, now: now)
        for case .openLink(let peer) in actions {
            incarnation = peer.incarnation
            sequence = 0
        }
        for case .examine(let pass, _, let artifacts) in actions {
            actions += on(.needed(pass: pass, artifacts.filter { !unneeded.contains($0) }))
        }
        return actions
    }

    mutating func hears(_ message: CoordinatorMessage) -> [WorkerState.Action] {
        sequence += 1
        return on(.received(.control, Envelope(sequence: sequence, message: message)))
    }

    mutating func connects() -> [WorkerState.Action] { on(.connected(incarnation: incarnation)) }

    mutating func isWelcomed(epoch: UInt32 = 1, job: String = "job") -> [WorkerState.Action] {
        hears(
            .welcome(
                .init(
                    job: job, epoch: epoch, isa: "avx2", heartbeatIntervalMilliseconds: 1000,
                    heartbeatTimeoutMilliseconds: 3000)))
    }

    static func pass(_ index: Int, isReduced: Bool = false) -> CoordinatorMessage.PassBegin {
        // Without bytes there is nothing to fetch.
        .init(
            pass: index, name: "p", descriptor: ArtifactReference(id: SHA256Digest(of: Data()), size: 0),
            artifacts: [], isReduced: isReduced)
    }

    /// Up to the first request for leases.
    mutating func isReady(epoch: UInt32 = 1, pass: Int = 0) -> [WorkerState.Action] {
        var actions = on(.started) + connects() + isWelcomed(epoch: epoch) + hears(.passBegin(Self.pass(pass)))
        for case .setUp(let setUp) in actions { actions += on(.setUpDone(setUp.number, probe: nil)) }
        return actions
    }

    mutating func comesBack(epoch: UInt32 = 1, pass: Int = 0) -> [WorkerState.Action] {
        now = now + .seconds(5)
        return on(.tick) + connects() + isWelcomed(epoch: epoch) + hears(.passBegin(Self.pass(pass)))
    }

    mutating func isLeased(_ shard: Int, counter: UInt32, epoch: UInt32 = 1) -> [WorkerState.Action] {
        hears(
            .lease(
                .init(
                    pass: 0, shard: shard, token: LeaseToken(epoch: epoch, counter: counter), sampleCount: 1, size: 1,
                    chunk: Data([UInt8(shard)]))))
    }

    mutating func computes(_ item: WorkerState.WorkItem?) throws -> [WorkerState.Action] {
        let result = Data("result".utf8)
        return on(
            .computed(try #require(item).id, result: result, digest: SHA256Digest(of: result), nanoseconds: 9))
    }
}

extension [WorkerState.Action] {
    var messages: [WorkerMessage] {
        compactMap { action in
            if case .send(.control, let envelope) = action { envelope.message } else { nil }
        }
    }

    var openedLinks: [PeerID] { compactMap { if case .openLink(let peer) = $0 { peer } else { nil } } }

    var closesLink: Bool { contains { if case .closeLink = $0 { true } else { false } } }

    var items: [WorkerState.WorkItem] { compactMap { if case .compute(let item) = $0 { item } else { nil } } }

    var setUps: [WorkerState.SetUp] { compactMap { if case .setUp(let setUp) = $0 { setUp } else { nil } } }

    var cancelled: [LeaseToken] { flatMap { if case .cancel(let tokens) = $0 { tokens } else { [LeaseToken]() } } }

    /// Numbers of the set-ups whose lanes' work is to be exchanged.
    var exchanges: [Int] { compactMap { if case .exchange(_, _, let setUp) = $0 { setUp } else { nil } } }

    var endsExchange: Bool { contains { if case .endExchange = $0 { true } else { false } } }

    var exits: [WorkerExit] { compactMap { if case .exit(let exit) = $0 { exit } else { nil } } }
}

extension [WorkerMessage] {
    var results: [WorkerMessage.ResultMessage] {
        compactMap { if case .result(let result) = $0 { result } else { nil } }
    }
}
