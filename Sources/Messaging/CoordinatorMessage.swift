import Foundation

/// What the coordinator says to a worker.
public enum CoordinatorMessage: Equatable, Sendable {
    case welcome(Welcome)
    case refused(Refusal)
    /// This session is unknown or over: the worker is to say hello as a new incarnation.
    case rejoin
    case heartbeat(HeartbeatMessage)
    case passBegin(PassBegin)
    case artifactChunk(artifact: ArtifactID, offset: Int, chunk: Data)
    case lease(LeaseMessage)
    case leaseChunk(token: LeaseToken, offset: Int, chunk: Data)
    /// The results of these leases are committed or not wanted: the worker may forget them.
    case ack(tokens: [LeaseToken])
    /// These leases are over; what was not begun need not be.
    case revoke(tokens: [LeaseToken])
    case shutdown(reason: ShutdownReason, detail: String)
    /// To exchange what the pass's shards contribute.
    case exchange(ExchangePlan)

    /// The coordinator takes a worker.
    public struct Welcome: Equatable, Sendable {
        /// Names the job; the same for all lives of a coordinator that go on from one journal.
        public var job: String
        /// Of the coordinator's life, as in lease tokens.
        public var epoch: UInt32
        /// The one instruction set that all workers of the job are pinned to.
        public var isa: String
        /// How often each side lets the other hear of it.
        public var heartbeatIntervalMilliseconds: Int
        /// After what silence a side gives the other up.
        public var heartbeatTimeoutMilliseconds: Int

        public init(
            job: String, epoch: UInt32, isa: String, heartbeatIntervalMilliseconds: Int,
            heartbeatTimeoutMilliseconds: Int
        ) {
            self.job = job
            self.epoch = epoch
            self.isa = isa
            self.heartbeatIntervalMilliseconds = heartbeatIntervalMilliseconds
            self.heartbeatTimeoutMilliseconds = heartbeatTimeoutMilliseconds
        }
    }

    /// A pass begins: what it computes, and the artifacts that it needs.
    public struct PassBegin: Equatable, Sendable {
        /// Counts the passes of the job.
        public var pass: Int
        /// For people.
        public var name: String
        /// Fetched like an artifact, since it may be larger than a message.
        public var descriptor: ArtifactReference
        /// What the pass names besides its descriptor.
        public var artifacts: [ArtifactReference]
        /// What shards contribute stays with the workers, who reduce it in an exchange.
        public var isReduced: Bool

        public init(
            pass: Int, name: String, descriptor: ArtifactReference, artifacts: [ArtifactReference],
            isReduced: Bool = false
        ) {
            self.pass = pass
            self.name = name
            self.descriptor = descriptor
            self.artifacts = artifacts
            self.isReduced = isReduced
        }
    }

    /// A shard to compute, and the first of its payload.
    public struct LeaseMessage: Equatable, Sendable {
        /// Of the shard.
        public var pass: Int
        /// From 0.
        public var shard: Int
        /// Names this lease in all that is said of it.
        public var token: LeaseToken
        /// Of the shard, for progress.
        public var sampleCount: Int
        /// Of the whole payload, in bytes; what `chunk` lacks follows in `leaseChunk`s.
        public var size: Int
        /// The first bytes of the payload.
        public var chunk: Data

        public init(pass: Int, shard: Int, token: LeaseToken, sampleCount: Int, size: Int, chunk: Data) {
            self.pass = pass
            self.shard = shard
            self.token = token
            self.sampleCount = sampleCount
            self.size = size
            self.chunk = chunk
        }
    }

    /// Why a worker is to end.
    public enum ShutdownReason: String, Sendable {
        /// The job is done.
        case finished
        case jobFailed
        /// This worker's results are not trusted any more, or it cannot set up the pass.
        case expelled
    }
}

/// An artifact that a worker can fetch.
public struct ArtifactReference: Equatable, Sendable {
    /// Digest of the artifact's bytes.
    public var id: ArtifactID
    /// In bytes.
    public var size: Int

    public init(id: ArtifactID, size: Int) {
        self.id = id
        self.size = size
    }
}

/// Why a worker may not take part. It is permanent for this worker.
public struct Refusal: Error, Equatable, Sendable {
    /// What does not fit.
    public enum Code: String, Sendable {
        case protocolVersion
        /// Another compute library or version of it.
        case library
        /// The machine lacks the instruction set that the job is pinned to.
        case instructionSet
        /// The pass's probe gives other bits on this machine than on those that take part.
        case probe
        /// A hello that contradicts its own connection.
        case identity
        /// More workers than the coordinator takes.
        case capacity
    }

    /// What does not fit.
    public var code: Code
    /// What the coordinator wants.
    public var expected: String
    /// What the worker has.
    public var found: String

    public init(_ code: Code, expected: String, found: String) {
        self.code = code
        self.expected = expected
        self.found = found
    }
}
