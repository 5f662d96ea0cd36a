import Foundation
import Messaging

/// The worker's protocol as a value: events in, actions out, like `CoordinatorState`.
///
/// A session lasts as long as both of its connections stand. Whatever goes wrong ends it, and the worker comes back as
/// a new incarnation; what it has computed survives and is sent again, what it was only given does not.
package struct WorkerState {
    package struct Identity: Equatable, Sendable {
        /// Unique among all workers of all times.
        package var worker: String
        package var lanes: Int
        package var compute: ComputeIdentity
        package var host: String
        package var process: Int
        /// Where other workers connect to for exchanges; 0 where they cannot.
        package var exchangePort: Int

        package init(
            worker: String, lanes: Int, compute: ComputeIdentity, host: String, process: Int, exchangePort: Int = 0
        ) {
            self.worker = worker
            self.lanes = lanes
            self.compute = compute
            self.host = host
            self.process = process
            self.exchangePort = exchangePort
        }
    }

    package enum Event: Sendable {
        case started
        /// The control connection of this incarnation stands.
        case connected(incarnation: UInt64)
        case disconnected(incarnation: UInt64)
        case received(Channel, Envelope<CoordinatorMessage>)
        case undecodable(WireError)
        /// All lanes are ready for the set-up of this number.
        case setUpDone(Int)
        case setUpFailed(Int, ShardFailure)
        case computed(ItemID, result: Data, digest: SHA256Digest, nanoseconds: Int)
        case failed(ItemID, ShardFailure)
        /// The answer to `cancel`: these had not begun and will not.
        case cancelled([LeaseToken])
        /// The answer to `examine`: these artifacts are to be fetched.
        case needed(pass: Int, [ArtifactID])
        case exchanged(own: PeerID, pass: Int, attempt: Int, digest: Data)
        case exchangeFailed(own: PeerID, pass: Int, attempt: Int, peers: [PeerID], reason: String)
        case stop
        case tick
    }

    package enum Action: Sendable {
        case openLink(PeerID)
        case closeLink
        case send(Channel, Envelope<WorkerMessage>)
        case setUp(SetUp)
        case compute(WorkItem)
        /// To be answered with `cancelled`.
        case cancel([LeaseToken])
        /// To be answered with `needed`: which of the pass's artifacts are.
        case examine(pass: Int, descriptor: Data, artifacts: [ArtifactID])
        /// To exchange what the lanes of this set-up have computed; a former exchange is over.
        case exchange(ExchangePlan, own: PeerID, setUp: Int)
        case endExchange
        case exit(WorkerExit)
        case log(LogEvent)
    }

    /// What a pass is computed with. Work items name it by number, so that nothing is computed with another pass's.
    package struct SetUp: Sendable {
        package var number: Int
        package var pass: CoordinatorMessage.PassBegin
        package var isa: String
        package var descriptor: Data
        package var artifacts: [ArtifactID: Data]
    }

    /// A token alone could come again with another job.
    package struct ItemID: Hashable, Sendable {
        package var setUp: Int
        package var token: LeaseToken
    }

    package struct WorkItem: Sendable {
        package var id: ItemID
        package var shard: Int
        package var payload: Data
    }

    enum Phase: Equatable {
        /// Until the pause is over.
        case waiting(until: Moment)
        case connecting(since: Moment)
        case greeted(at: Moment)
        case joined
        case over

        var isConnecting: Bool { if case .connecting = self { true } else { false } }
    }

    struct Session {
        var sent: UInt64 = 0
        var received: UInt64 = 0
        var lastHeard: Moment
        var lastMoved: Moment
        var lastHeartbeat: Moment?
        /// Nothing is said about a pass before the coordinator has announced it in this session.
        var isPassAnnounced = false
    }

    /// The job that a worker is part of, as welcomed.
    struct Job: Equatable {
        var name: String
        var epoch: UInt32
        var isa: String
    }

    enum SetUpPhase: Equatable {
        case fetching
        case preparing
        case ready
        case failed
    }

    let identity: Identity
    let limits: ProtocolLimits
    var phase = Phase.connecting(since: Moment(nanoseconds: 0))
    var incarnation: UInt64 = 0
    var session: Session
    /// As the coordinator told them.
    var heartbeatInterval: Duration
    var heartbeatTimeout: Duration
    var pause: Duration
    /// Since when there is no coordinator.
    var lostSince: Moment?
    var drainUntil: Moment?

    var job: Job?
    var pass: CoordinatorMessage.PassBegin?
    var setUpPhase = SetUpPhase.fetching
    var setUpNumber = 0
    var cache: ArtifactCache
    var fetch: ArtifactFetch?
    /// Artifacts of the pass that are to be fetched; nil before it is known.
    var needed: Set<ArtifactID>?

    /// Asked for and not yet leased.
    var creditsOut = 0
    var leases: [LeaseToken: HeldLease] = [:]
    /// The lease whose payload is arriving.
    var arriving: LeaseToken?
    /// Computed and not yet acknowledged.
    var results: [LeaseToken: HeldResult] = [:]
    var resultBytes = 0
    var actions: [Action] = []

    package init(identity: Identity, limits: ProtocolLimits) {
        self.identity = identity
        self.limits = limits
        session = Session(lastHeard: Moment(nanoseconds: 0), lastMoved: Moment(nanoseconds: 0))
        heartbeatInterval = limits.heartbeatInterval
        heartbeatTimeout = limits.heartbeatTimeout
        pause = limits.reconnectPause
        cache = ArtifactCache(limit: limits.artifactCacheSize)
    }

    package mutating func handle(_ event: Event, now: Moment) -> [Action] {
        guard phase != .over else { return [] }
        switch event {
        case .started:
            lostSince = now
            open(now: now)
        case .connected(let number):
            if number == incarnation, phase.isConnecting { greet(now: now) }
        case .disconnected(let number):
            if number == incarnation, !phase.isConnecting { loseSession("disconnected", now: now) }
        case .received(let channel, let envelope): receive(envelope, on: channel, now: now)
        case .undecodable(let error): refuse(error, now: now)
        case .setUpDone(let number): setUpDone(number)
        case .setUpFailed(let number, let failure): setUpFailed(number, failure)
        case .computed(let item, let result, let digest, let nanoseconds):
            computed(item, result, digest, nanoseconds)
        case .failed(let item, let failure): failed(item, failure)
        case .cancelled(let tokens): cancelled(tokens)
        case .needed(let pass, let artifacts): needs(artifacts, for: pass)
        case .exchanged(let own, let pass, let attempt, let digest):
            if own == peer { exchanged(pass, attempt, digest) }
        case .exchangeFailed(let own, let pass, let attempt, let peers, let reason):
            if own == peer { exchangeFailed(pass, attempt, peers, reason) }
        case .stop: stop(now: now)
        case .tick: checkTimes(now: now)
        }
        requestLeases()
        leaveIfDrained()
        defer { actions.removeAll() }
        return actions
    }

    package var isOver: Bool { phase == .over }

    /// Also for the driver, to look at deadlines often enough.
    package var tick: Duration { min(limits.tick, heartbeatInterval / 4) }

    mutating func log(_ event: LogEvent) {
        actions.append(.log(event))
    }

    mutating func send(_ message: WorkerMessage) {
        guard phase == .joined || message.isHello else { return }
        session.sent += 1
        actions.append(.send(.control, Envelope(sequence: session.sent, message: message)))
    }

    mutating func exit(_ exit: WorkerExit) {
        guard phase != .over else { return }
        send(.goodbye)
        phase = .over
        actions.append(.closeLink)
        actions.append(.exit(exit))
    }
}

extension WorkerMessage {
    fileprivate var isHello: Bool {
        if case .hello = self { true } else { false }
    }
}

extension WorkerState {
    /// Leases that are kept, for tests of their bound.
    package var heldLeases: Int { leases.count }
    /// Results that are kept, for tests of their bound.
    package var heldResults: Int { results.count }
}
