import Foundation
import Support

/// One life of a worker's session: a worker that loses its session comes back as the next incarnation, so that nothing
/// said in an old session can be taken for the new one. (ZeroMQ silently ignores a second peer with the same routing
/// id; a new incarnation also has a new one.)
public struct PeerID: Hashable, Sendable, CustomStringConvertible {
    /// Unique among all processes that ever speak to a coordinator.
    public var worker: String
    /// Counts the sessions of the worker.
    public var incarnation: UInt64

    public init(worker: String, incarnation: UInt64) {
        self.worker = worker
        self.incarnation = incarnation
    }

    /// `worker/incarnation`, as in routing ids.
    public var description: String { "\(worker)/\(incarnation)" }
}

/// Which of a worker's two connections a message travels on. Heartbeats have their own, because a bulk frame on a slow
/// link would delay them beyond their timeout.
public enum Channel: String, Sendable {
    case control
    case heartbeat
}

/// The routing id of a connection: `worker/incarnation` or `worker/incarnation/heartbeat`.
public struct RoutingID: Hashable, Sendable {
    /// Whose connection it is.
    public var peer: PeerID
    /// Which of the peer's connections it is.
    public var channel: Channel

    public init(peer: PeerID, channel: Channel) {
        self.peer = peer
        self.channel = channel
    }

    /// As ZeroMQ takes it.
    public var bytes: Data {
        Data((channel == .control ? peer.description : "\(peer)/heartbeat").utf8)
    }

    /// Nil when the bytes are not the routing id of a worker.
    public init?(bytes: Data) {
        guard bytes.count <= 128, let text = String(data: bytes, encoding: .utf8) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 || (parts.count == 3 && parts[2] == "heartbeat"), !parts[0].isEmpty,
            let incarnation = UInt64(parts[1])
        else { return nil }
        peer = PeerID(worker: String(parts[0]), incarnation: incarnation)
        channel = parts.count == 2 ? .control : .heartbeat
        // One spelling only: "+1" and "01" parse as numbers too.
        guard self.bytes == bytes else { return nil }
    }
}

/// The bytes that workers fetch once and share between passes (a model), by their digest.
public typealias ArtifactID = SHA256Digest

/// The fencing token of a lease: later leases have greater tokens, those of a restarted coordinator are greater than
/// all of its former life.
public struct LeaseToken: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Of the coordinator's life, and of the lease in it.
    public var epoch: UInt32
    /// Counts the leases of the coordinator's life.
    public var counter: UInt32

    public init(epoch: UInt32, counter: UInt32) {
        self.epoch = epoch
        self.counter = counter
    }

    /// The epoch in the high half, the counter in the low one.
    public init(rawValue: UInt64) {
        self.init(epoch: UInt32(truncatingIfNeeded: rawValue >> 32), counter: UInt32(truncatingIfNeeded: rawValue))
    }

    /// The epoch in the high half, the counter in the low one; greater for later leases.
    public var rawValue: UInt64 { UInt64(epoch) << 32 | UInt64(counter) }

    /// Earlier leases first.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// `epoch.counter`.
    public var description: String { "\(epoch).\(counter)" }
}

/// What a worker computes with. Results are the same bits only between equal libraries on one instruction set.
public struct ComputeIdentity: Equatable, Sendable {
    /// Name and version of the library, compared as a whole.
    public var library: String
    /// The instruction sets that this machine can be pinned to.
    public var supportedISAs: [String]
    /// Processor, caches and system library, for people: what differs where results do.
    public var machine: String

    public init(library: String, supportedISAs: [String], machine: String = "") {
        self.library = library
        self.supportedISAs = supportedISAs
        self.machine = machine
    }
}

/// A failure of a worker's computation, as data that travels: one place in the program makes a sentence of it.
public struct ShardFailure: Error, Equatable, Sendable {
    /// True when another attempt, on any machine, would fail the same way.
    public var permanent: Bool
    /// What went wrong, as a word.
    public var code: String
    /// Operands such as file, key, expected, found.
    public var fields: [String: String]

    public init(permanent: Bool, code: String, fields: [String: String] = [:]) {
        self.permanent = permanent
        self.code = code
        self.fields = fields
    }
}
