import Messaging

/// What a worker says of a shard, or of a set-up, that has failed.
public typealias ShardFailure = Messaging.ShardFailure
/// What an artifact is asked for by: the digest of its bytes.
public typealias ArtifactID = Messaging.ArtifactID
/// What a worker computes with: results are the same bits only where it agrees.
public typealias ComputeIdentity = Messaging.ComputeIdentity
/// Why a worker cannot take part in a job.
public typealias Refusal = Messaging.Refusal

/// Why a job cannot go on. Data only; one place in the program makes a sentence of it.
public struct ClusterError: Error, Equatable, Sendable {
    /// What has happened.
    public enum Code: String, Sendable {
        /// A shard failed permanently, or too often; `failure` holds what the worker said.
        case shardFailed
        /// A worker could not set up the pass, permanently.
        case passFailed
        /// Workers died again and again while holding one shard.
        case shardLost
        /// Two results of one shard differ: a machine computes wrongly, or the computation is not deterministic.
        case resultsDiffer
        /// A shard or payload is larger than messages may be, or out of sequence.
        case shard
        /// The endpoint cannot be bound or connected to for now: `expected` is the endpoint, `found` the reason.
        case endpoint
        /// No endpoint, or none that this machine could ever use; operands as of `endpoint`.
        case mistakenEndpoint
        /// The journal cannot be read or written for now.
        case journal
        /// The journal is none, or not as it was written.
        case unusableJournal
        /// The journal belongs to another job, or its passes are not this job's.
        case otherJob
        /// Another coordinator has resumed this journal.
        case superseded
        /// The caller's source or reducer failed; it is rethrown where it is an error of theirs.
        case callback
        /// What the coordinator was given for the job cannot be used, for good: a model, data, or what comes of them.
        case unusableJob
        /// The coordinator could not go on with the job for a reason that may pass.
        case hinderedJob
        /// The coordinator does not take this worker: `refusal`, `expected` and `found` tell what does not agree.
        case refused
        /// The coordinator wants this worker's process replaced; `found` is its reason.
        case expelled
        /// No coordinator has answered for as long as a worker's patience lasts; `found` is the endpoint.
        case coordinatorLost
        /// No worker is left and none will come.
        case noWorkers
        /// The coordinator was closed while the job ran.
        case closed
        /// No worker holds the state that the pass needs. Ends the pass, not the job.
        case stateLost
        /// Workers have come to different states in one step, and no majority agrees. Ends the pass, not the job.
        case replicasDiffer
        /// Workers cannot exchange with each other: `worker` with others, `found` is the reason. Ends the pass, not the job.
        case exchangeFailed

        /// Whether another pass may follow.
        package var endsPassOnly: Bool { [.stateLost, .replicasDiffer, .exchangeFailed].contains(self) }
    }

    /// What workers are told of it: they end as their coordinator does, and do not know its operands.
    package var codeForWorkers: Code {
        [.shardFailed, .passFailed].contains(code) && failure?.permanent == false ? .hinderedJob : code
    }

    /// What has happened.
    public var code: Code
    /// The pass's name, where the error is about one.
    public var pass: String?
    /// The shard's index, where the error is about one.
    public var shard: Int?
    /// The worker, or several, where the error is about one.
    public var worker: String?
    /// What the worker said, where it is the reason.
    public var failure: ShardFailure?
    /// Why a worker is refused.
    public var refusal: Refusal.Code?
    /// What would have been right, where something else was found.
    public var expected: String?
    /// What was found instead, or the reason.
    public var found: String?

    /// What the coordinator says to a worker that it does not take.
    public init(_ refusal: Refusal) {
        self.init(.refused, expected: refusal.expected, found: refusal.found)
        self.refusal = refusal.code
    }

    /// An error of this code; operands that it is not about are left out.
    public init(
        _ code: Code, pass: String? = nil, shard: Int? = nil, worker: String? = nil, failure: ShardFailure? = nil,
        expected: String? = nil, found: String? = nil
    ) {
        self.code = code
        self.pass = pass
        self.shard = shard
        self.worker = worker
        self.failure = failure
        self.expected = expected
        self.found = found
    }
}

extension ShardFailure {
    /// The worker lacks a state that others hold.
    public static let stateMissing = "stateMissing"
}
