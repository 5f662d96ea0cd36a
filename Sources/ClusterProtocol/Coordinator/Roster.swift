import Foundation
import Messaging
import OrderedCollections

/// Why a session ends.
enum DropReason: String {
    case unreachable, silent, stalled, replaced, goodbye, expelled, refused
    case lostMessages = "lost messages"
    case violation = "protocol violation"
    case setUpTimeout = "set-up timeout"
    case failedShard = "failed shard"
    case hung

    /// Whether the worker may have died of what it held.
    var isLoss: Bool {
        switch self {
        case .unreachable, .silent, .hung: true
        default: false
        }
    }
}

/// The workers that take part, in the order of joining, so that nothing depends on the order of a hash table; and the
/// coordinator's session with each: what was said, and when something was last heard.
struct Roster {
    /// What has come of a worker's message.
    enum Reception {
        /// There is no session with its sender.
        case stranger
        /// A repetition, a sign of life, or a part of something.
        case nothing
        case message(WorkerMessage)
        /// All chunks of a result.
        case result(WorkerMessage.ResultMessage, Data)
        /// The session cannot go on.
        case broken(DropReason)
    }

    private let limits: ProtocolLimits
    private var sessions: OrderedDictionary<PeerID, Session> = [:]
    /// Workers that are not let in again.
    private var expelled: Set<String> = []
    private var lastPulse: Moment?

    init(limits: ProtocolLimits) {
        self.limits = limits
    }

    var peers: OrderedSet<PeerID> { sessions.keys }

    var count: Int { sessions.count }

    var isEmpty: Bool { sessions.isEmpty }

    var lanes: Int { sessions.values.reduce(0) { $0 + $1.hello.lanes } }

    func contains(_ peer: PeerID) -> Bool { sessions[peer] != nil }

    func hello(of peer: PeerID) -> WorkerMessage.Hello? { sessions[peer]?.hello }

    /// The sessions of a worker's former incarnations; one at most.
    func sessions(ofWorker worker: String) -> [PeerID] { sessions.keys.filter { $0.worker == worker } }

    /// Whether a hello is repeated: its session stands, or was replaced meanwhile.
    func hasGreeted(_ peer: PeerID) -> Bool {
        contains(peer) || sessions(ofWorker: peer.worker).contains { $0.incarnation > peer.incarnation }
    }

    // MARK: Coming and going

    mutating func join(_ hello: WorkerMessage.Hello, now: Moment) {
        sessions[hello.peer] = Session(hello: hello, now: now)
    }

    /// False where there was no session.
    mutating func leave(_ peer: PeerID) -> Bool { sessions.removeValue(forKey: peer) != nil }

    mutating func expel(_ worker: String) { expelled.insert(worker) }

    func isExpelled(_ worker: String) -> Bool { expelled.contains(worker) }

    // MARK: What is said

    mutating func receive(_ envelope: Envelope<WorkerMessage>, from source: RoutingID, now: Moment) -> Reception {
        guard let index = sessions.index(forKey: source.peer) else { return .stranger }
        return sessions.values[index].receive(envelope, on: source.channel, now: now)
    }

    /// The message as the next of its session; nil where there is none.
    mutating func next(_ message: CoordinatorMessage, to peer: PeerID) -> Envelope<CoordinatorMessage>? {
        guard let index = sessions.index(forKey: peer) else { return nil }
        return sessions.values[index].next(message)
    }

    /// The heartbeats that are due.
    mutating func pulse(now: Moment) -> [(target: RoutingID, counts: HeartbeatMessage)] {
        guard lastPulse.map({ now - $0 >= limits.tick }) ?? true else { return [] }
        lastPulse = now
        return sessions.compactMap { peer, session in
            session.pulse.map { (RoutingID(peer: peer, channel: .heartbeat), $0) }
        }
    }

    /// Why a session has lasted too long, if it has.
    func overdue(_ peer: PeerID, now: Moment) -> DropReason? { sessions[peer]?.overdue(limits, now: now) }

    func invariantViolations() -> [String] {
        Set(sessions.keys.map(\.worker)).count == sessions.count ? [] : ["two sessions of one worker"]
    }
}

/// A worker's session, as the coordinator sees it. The hello was its first message.
private struct Session {
    let hello: WorkerMessage.Hello
    private var lastHeard: Moment
    /// Control messages of this session: the last received, the last sent.
    private var received: UInt64 = 1
    private var sent: UInt64 = 0
    /// The heartbeat connection stands, so that a failure to send on it means something.
    private var hasHeartbeat = false
    /// When the control connection last moved, or was known to have nothing under way.
    private var lastMoved: Moment
    /// The result whose chunks are arriving.
    private var arriving: (message: WorkerMessage.ResultMessage, data: ArrivingBytes)?

    init(hello: WorkerMessage.Hello, now: Moment) {
        self.hello = hello
        lastHeard = now
        lastMoved = now
    }

    mutating func receive(
        _ envelope: Envelope<WorkerMessage>, on channel: Channel, now: Moment
    ) -> Roster.Reception {
        lastHeard = now
        if channel == .heartbeat {
            guard case .heartbeat(let counts) = envelope.message else { return .broken(.violation) }
            hasHeartbeat = true
            if counts.sent <= received { lastMoved = now }
            return .nothing
        }
        // Over a connection that stands, messages come complete and in order. Anything else means that it did not stand.
        if envelope.sequence <= received { return .nothing }
        guard envelope.sequence == received + 1 else { return .broken(.lostMessages) }
        received = envelope.sequence
        lastMoved = now
        return assemble(envelope.message)
    }

    /// Puts a result's chunks together, which follow it without anything in between.
    private mutating func assemble(_ message: WorkerMessage) -> Roster.Reception {
        // Taken out, so that appending does not copy.
        if var partial = arriving.take() {
            guard case .resultChunk(let token, let offset, let chunk) = message, partial.message.token == token,
                partial.data.append(chunk, at: offset)
            else { return .broken(.violation) }
            if partial.data.isWhole { return .result(partial.message, partial.data.take()) }
            arriving = partial
            return .nothing
        }
        switch message {
        case .heartbeat, .resultChunk: return .broken(.violation)
        case .result(let result):
            guard result.chunk.count < result.size else { return .result(result, result.chunk) }
            arriving = (result, ArrivingBytes(size: result.size, first: result.chunk))
            return .nothing
        default: return .message(message)
        }
    }

    mutating func next(_ message: CoordinatorMessage) -> Envelope<CoordinatorMessage> {
        sent += 1
        return Envelope(sequence: sent, message: message)
    }

    /// Nil where there is no connection for it.
    var pulse: HeartbeatMessage? { hasHeartbeat ? HeartbeatMessage(sent: sent, received: received) : nil }

    func overdue(_ limits: ProtocolLimits, now: Moment) -> DropReason? {
        if now - lastHeard > limits.heartbeatTimeout { return .silent }
        return now - lastMoved > limits.stallTimeout ? .stalled : nil
    }
}
