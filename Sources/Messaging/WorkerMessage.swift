import Foundation
import Support

/// What a worker says to the coordinator.
public enum WorkerMessage: Equatable, Sendable {
    case hello(Hello)
    case heartbeat(HeartbeatMessage)
    /// Asks for one chunk of an artifact; the worker sets the pace.
    case fetch(artifact: ArtifactID, offset: Int)
    /// All lanes are ready to compute the pass's shards; the digest is of what the pass's probe gave here, where it has one.
    case passReady(pass: Int, probe: SHA256Digest?)
    case passFailed(pass: Int, ShardFailure)
    /// Asks for as many more leases.
    case request(pass: Int, credits: Int)
    case result(ResultMessage)
    case resultChunk(token: LeaseToken, offset: Int, chunk: Data)
    case shardFailed(pass: Int, shard: Int, token: LeaseToken, ShardFailure)
    /// Gives leases back that were not computed.
    case returned(tokens: [LeaseToken])
    case goodbye
    /// An exchange is done; the digest is of what the pass's step has led to.
    case reduced(pass: Int, attempt: Int, digest: Data)
    /// An exchange cannot be done: these peers are not reached, or send what makes no sense.
    case reductionFailed(pass: Int, attempt: Int, peers: [PeerID], reason: String)

    /// A worker presents itself.
    public struct Hello: Equatable, Sendable {
        /// This session of the worker.
        public var peer: PeerID
        /// Shards that it computes at once.
        public var lanes: Int
        /// What decides whether its results are the same bits as others'.
        public var compute: ComputeIdentity
        /// For people.
        public var host: String
        /// The process's number on its host.
        public var process: Int
        /// Where other workers connect to for exchanges; 0 where they cannot.
        public var exchangePort: Int
        /// Of the connection, as the receiver sees it; not part of the message.
        public var address = ""

        public init(
            peer: PeerID, lanes: Int, compute: ComputeIdentity, host: String, process: Int, exchangePort: Int = 0
        ) {
            self.peer = peer
            self.lanes = lanes
            self.compute = compute
            self.host = host
            self.process = process
            self.exchangePort = exchangePort
        }
    }

    /// What a worker has computed of a shard, and the first of it.
    public struct ResultMessage: Equatable, Sendable {
        /// Of the shard.
        public var pass: Int
        /// From 0.
        public var shard: Int
        /// Of the lease that it was computed under.
        public var token: LeaseToken
        /// Of all of the result's bytes.
        public var digest: SHA256Digest
        /// Of the whole result, in bytes; what `chunk` lacks follows in `resultChunk`s.
        public var size: Int
        /// Of the lane's computing, without waiting and sending.
        public var computeNanoseconds: Int
        /// The first bytes of the result.
        public var chunk: Data

        public init(
            pass: Int, shard: Int, token: LeaseToken, digest: SHA256Digest, size: Int, computeNanoseconds: Int,
            chunk: Data
        ) {
            self.pass = pass
            self.shard = shard
            self.token = token
            self.digest = digest
            self.size = size
            self.computeNanoseconds = computeNanoseconds
            self.chunk = chunk
        }
    }
}

/// Both ways: how many control messages the sender has sent and received in this session. Heartbeats prove that the
/// process lives; the counts prove that the other connection does.
public struct HeartbeatMessage: Equatable, Sendable {
    /// Control messages that the sender has sent.
    public var sent: UInt64
    /// Control messages that the sender has received.
    public var received: UInt64

    public init(sent: UInt64, received: UInt64) {
        self.sent = sent
        self.received = received
    }
}
