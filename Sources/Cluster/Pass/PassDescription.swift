import ClusterProtocol
import Foundation
import Messaging
import Support

/// A pass over the data: what workers compute shards with.
public struct PassDescription: Sendable {
    /// For people; also checked when a job is resumed.
    public var name: String
    /// Opaque; the executor factory of every worker receives it.
    public var descriptor: Data
    /// Of `Coordinator.addArtifact`.
    public var artifacts: [ArtifactID]
    /// Where it is known ahead, for progress.
    public var shardCount: Int?
    /// Whether what is done survives the coordinator. A pass that does not is run again by a resumed job, as a step of a
    /// training that goes on from its last checkpoint; it does not count among the passes that the journal knows.
    public var isJournaled: Bool
    /// Samples of the passes that this one continues, as the steps of a training do; progress counts on from them.
    public var samplesBefore: Int
    /// What every worker computes before its first shard of the pass, to show that its machine gives the same bits as the others'; nil
    /// where nothing is computed whose bits could differ.
    public var probe: SHA256Digest?
    /// Whether what the shards contribute stays with the workers, who reduce it in an exchange among themselves. Results are
    /// merged at the end then, in the order of the shards, and lost with the worker that computed them until then. Such a
    /// pass is not journaled.
    public var isReduced: Bool

    /// A pass of these parts: journaled and not reduced unless told otherwise.
    public init(
        name: String, descriptor: Data, artifacts: [ArtifactID] = [], shardCount: Int? = nil, isJournaled: Bool = true,
        samplesBefore: Int = 0, isReduced: Bool = false, probe: SHA256Digest? = nil
    ) {
        self.name = name
        self.descriptor = descriptor
        self.artifacts = artifacts
        self.shardCount = shardCount
        self.isJournaled = isJournaled
        self.samplesBefore = samplesBefore
        self.isReduced = isReduced
        self.probe = probe
    }
}

/// The shards of a pass in the order of their indices. It is used on one thread of the coordinator's, which reads
/// ahead of the workers by a bounded number.
public protocol ShardSource {
    /// The next shard, nil after the last.
    mutating func next() throws -> Shard?
    /// Moves past the next shard, which is committed already; false after the last. Cheaper than `next` where possible.
    mutating func skip() throws -> Bool
}

extension ShardSource {
    /// Reads the next shard and drops it.
    public mutating func skip() throws -> Bool { try next() != nil }
}

/// Merges results. The order of merging must not matter: shards arrive in any order, each exactly once.
/// It is used on the thread that calls `Coordinator.run`.
public protocol ResultReducer {
    /// - Parameters:
    ///   - samples: of the shard, as its source says.
    ///   - result: as the worker sent it, which is not to be trusted.
    /// - Throws: `UnusableResult`, with nothing merged, where the worker is at fault; anything else ends the job.
    mutating func merge(shard: Int, samples: Int, result: Data) throws
    /// All that was merged, as bytes that are a pure function of the set of merged shards.
    func state() throws -> Data
    mutating func restore(_ state: Data) throws
}

/// A result that no worker computes: it cannot be decoded, or contradicts its shard. The worker that sent it is expelled, and
/// another computes the shard.
public struct UnusableResult: Error, Equatable {
    /// For the log.
    public var reason: String

    public init(_ reason: String) {
        self.reason = reason
    }

    /// That a result speaks of another number of samples than its shard has.
    public init(samples: Int, ofShardWith expected: Int) {
        self.init("it counts \(samples) samples, its shard has \(expected)")
    }

    /// Decodes, where every failure is the worker's fault.
    public static func checking<Result>(_ decode: () throws -> Result) throws(UnusableResult) -> Result {
        do { return try decode() } catch { throw UnusableResult("it cannot be decoded: \(error)") }
    }
}

/// What has come of a pass.
public struct PassOutcome: Equatable, Sendable {
    /// The reducer's state after all shards.
    public var state: Data
    /// Samples of all shards.
    public var samples: Int
    /// All shards of the source.
    public var shards: Int
    /// From the first lease to the last commit; of a resumed pass without the time in between.
    public var seconds: Double
    /// Attempts that failed and were repeated.
    public var failedAttempts: Int
    /// True when the pass was finished before this coordinator started.
    public var isFromJournal: Bool
    /// Of a reduced pass: the digest of what it has led to, equal on all workers that took part.
    public var digest: Data?
    /// Workers that could take no part because they lacked the state that others hold.
    public var workersLackingState: Int

    /// An outcome of these parts.
    public init(
        state: Data, samples: Int, shards: Int, seconds: Double, failedAttempts: Int = 0, isFromJournal: Bool = false,
        digest: Data? = nil, workersLackingState: Int = 0
    ) {
        self.state = state
        self.samples = samples
        self.shards = shards
        self.seconds = seconds
        self.failedAttempts = failedAttempts
        self.isFromJournal = isFromJournal
        self.digest = digest
        self.workersLackingState = workersLackingState
    }
}
