import Messaging

/// A worker's session with the coordinator: it lasts as long as both connections stand, and what is said in it is counted.
/// Whatever goes wrong ends it, and the worker comes back as a new incarnation.
struct WorkerSession {
    private enum Phase: Equatable {
        /// Until the pause is over.
        case waiting(until: Moment)
        case connecting(since: Moment)
        case greeted(at: Moment)
        case joined
        case over
    }

    /// What has come of a message.
    enum Reception {
        case nothing
        /// Outside of the session's count: the session does not exist for the coordinator.
        case uncounted(CoordinatorMessage)
        case welcome(CoordinatorMessage.Welcome)
        case message(CoordinatorMessage)
        /// The session cannot go on.
        case broken(String)
    }

    /// What the time calls for.
    enum Due {
        case nothing
        case open
        /// To try another kind of address.
        case reopen
        case heartbeat
        case loss(String)
        /// There was no coordinator for as long as patience lasts.
        case giveUp
    }

    private let worker: String
    private let limits: ProtocolLimits
    private var phase = Phase.connecting(since: Moment(nanoseconds: 0))
    private var incarnation: UInt64 = 0
    private var sent: UInt64 = 0
    private var received: UInt64 = 0
    private var lastHeard = Moment(nanoseconds: 0)
    private var lastMoved = Moment(nanoseconds: 0)
    private var lastHeartbeat: Moment?
    /// As the coordinator told them.
    private(set) var heartbeatInterval: Duration
    private var heartbeatTimeout: Duration
    /// Before the next attempt.
    private var pause: Duration
    /// Since when there is no coordinator.
    private var lostSince: Moment?
    /// When the user is to be told next that there is none.
    private var nextWaitingReport: Moment?

    init(worker: String, limits: ProtocolLimits) {
        self.worker = worker
        self.limits = limits
        heartbeatInterval = limits.heartbeatInterval
        heartbeatTimeout = limits.heartbeatTimeout
        pause = limits.reconnectPause
    }

    var peer: PeerID { PeerID(worker: worker, incarnation: incarnation) }

    var isJoined: Bool { phase == .joined }

    var isOver: Bool { phase == .over }

    /// Whether this incarnation is the present one and waits for its connection.
    func awaits(_ number: UInt64) -> Bool {
        if case .connecting = phase { number == incarnation } else { false }
    }

    /// Whether the connection of this incarnation stood last.
    func stands(on number: UInt64) -> Bool { number == incarnation && !awaits(number) }

    // MARK: Coming and going

    /// A worker that has not met its coordinator yet misses it from now on.
    mutating func start(now: Moment) {
        lostSince = now
        nextWaitingReport = now + limits.firstWaitingReport
    }

    mutating func open(now: Moment) {
        incarnation += 1
        (sent, received, lastHeartbeat) = (0, 0, nil)
        (lastHeard, lastMoved) = (now, now)
        phase = .connecting(since: now)
    }

    mutating func greet(_ hello: WorkerMessage.Hello, now: Moment) -> Envelope<WorkerMessage> {
        phase = .greeted(at: now)
        lastHeard = now
        return count(.hello(hello))
    }

    mutating func join(_ welcome: CoordinatorMessage.Welcome, now: Moment) {
        heartbeatInterval = .milliseconds(welcome.heartbeatIntervalMilliseconds)
        heartbeatTimeout = .milliseconds(welcome.heartbeatTimeoutMilliseconds)
        phase = .joined
        lastMoved = now
        pause = limits.reconnectPause
        lostSince = nil
        nextWaitingReport = nil
    }

    mutating func lose(now: Moment) {
        phase = .waiting(until: now + pause)
        pause = min(pause * 2, limits.reconnectPauseMaximum)
        lostSince = lostSince ?? now
        nextWaitingReport = nextWaitingReport ?? now + limits.firstWaitingReport
    }

    /// Whether it is time to tell that there is no coordinator; true once a time.
    mutating func isWaitingReportDue(now: Moment) -> Bool {
        guard let due = nextWaitingReport, now >= due, !isOver else { return false }
        nextWaitingReport = now + limits.waitingReport
        return true
    }

    /// How long there has been no coordinator, and how long the worker goes on without; nil where it has one.
    func waiting(now: Moment) -> (waited: Duration, left: Duration)? {
        lostSince.map { (now - $0, max(.zero, limits.patience - (now - $0))) }
    }

    /// Connected, greeted, and waiting for the answer.
    var hasGreeted: Bool { if case .greeted = phase { true } else { false } }

    mutating func end() { phase = .over }

    // MARK: What is said

    mutating func receive(
        _ envelope: Envelope<CoordinatorMessage>, on channel: Channel, now: Moment
    ) -> Reception {
        switch phase {
        case .waiting, .connecting, .over: return .nothing
        case .greeted, .joined: break
        }
        lastHeard = now
        if channel == .heartbeat {
            if case .heartbeat(let counts) = envelope.message, isJoined, counts.sent <= received { lastMoved = now }
            return .nothing
        }
        if envelope.sequence == 0 { return .uncounted(envelope.message) }
        if envelope.sequence <= received { return .nothing }
        guard envelope.sequence == received + 1 else { return .broken("lost messages") }
        received = envelope.sequence
        lastMoved = now
        if case .welcome(let welcome) = envelope.message {
            return isJoined ? .broken("protocol violation") : .welcome(welcome)
        }
        return isJoined ? .message(envelope.message) : .broken("protocol violation")
    }

    /// The message as the next of the session; nil where the worker has not joined.
    mutating func next(_ message: WorkerMessage) -> Envelope<WorkerMessage>? { isJoined ? count(message) : nil }

    private mutating func count(_ message: WorkerMessage) -> Envelope<WorkerMessage> {
        sent += 1
        return Envelope(sequence: sent, message: message)
    }

    mutating func heartbeat(now: Moment) -> Envelope<WorkerMessage> {
        lastHeartbeat = now
        return Envelope(sequence: 0, message: .heartbeat(HeartbeatMessage(sent: sent, received: received)))
    }

    func due(now: Moment) -> Due {
        if let lostSince, now - lostSince > limits.patience { return .giveUp }
        switch phase {
        case .waiting(let until): return now >= until ? .open : .nothing
        // The sockets connect again by themselves, but always to the same kind of address.
        case .connecting(let since): return now - since > limits.connectTimeout ? .reopen : .nothing
        case .greeted(let at): return now - at > heartbeatTimeout ? .loss("no welcome") : .nothing
        case .joined:
            if now - lastHeard > heartbeatTimeout { return .loss("silent") }
            if now - lastMoved > limits.stallTimeout { return .loss("stalled") }
            return lastHeartbeat.map { now - $0 >= heartbeatInterval } ?? true ? .heartbeat : .nothing
        case .over: return .nothing
        }
    }
}
