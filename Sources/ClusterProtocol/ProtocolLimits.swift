import Messaging

/// The times and sizes of the protocol, together because they relate: several heartbeats fit into a timeout, a timeout
/// into a lease, and nothing that is held grows beyond what credits and these limits allow.
public struct ProtocolLimits: Equatable, Sendable {
    /// Both sides speak at least this often on the heartbeat connection.
    public var heartbeatInterval: Duration = .seconds(1)
    /// Silence after which a peer is taken for dead. Any traffic counts.
    public var heartbeatTimeout: Duration = .seconds(3)
    /// How long the control connection may stand still while heartbeats tell that messages are under way.
    public var stallTimeout: Duration = .seconds(10)
    /// The shortest life of a lease; longer when shards take longer.
    public var minimumLeaseDuration: Duration = .seconds(30)
    /// A lease lasts this many times the median time of recent shards, if that is longer.
    public var leaseMedians = 10
    /// A worker that has not answered for so many lease durations is told to go: its lane hangs.
    public var hungLeaseDurations = 10
    /// An idle worker at the end of a pass repeats a shard that takes this many times the median.
    public var speculationMedians = 3
    /// And at least this long.
    public var minimumSpeculationAge: Duration = .seconds(1)
    /// Shards read ahead of the workers' credits.
    public var readAhead = 4
    /// Results received and not yet committed: leasing pauses when both are exceeded, or the count 64-fold.
    public var uncommittedResults = 16
    /// In bytes of payloads kept for them.
    public var uncommittedBytes = 64 << 20
    /// Attempts of a shard that fails in a way that might pass, before the job fails with it.
    public var shardAttempts = 3
    /// Workers that may be lost while they hold one shard, before it is taken for what kills them.
    public var shardLosses = 16
    /// Workers whose sessions stand at once; another is refused.
    public var workers = 4096
    /// How long a worker's set-up of a pass may take, from the last chunk on that it asks for, before it is told to go.
    public var setUpTimeout: Duration = .seconds(600)
    /// How long an exchange waits for workers that are still setting the pass up.
    public var reductionPatience: Duration = .seconds(60)
    /// How long an exchange may take once all shards are computed, before the attempt has failed.
    public var exchangeTimeout: Duration = .seconds(600)
    /// Attempts at an exchange that fail though all participants live, before workers are taken to be unable to reach each
    /// other.
    public var exchangeAttempts = 2

    /// Leases a worker asks for, a lane: one computes, one is prepared.
    public var creditsPerLane = 2
    /// Chunks of an artifact under way at once.
    public var fetchWindow = 4
    /// Results a worker keeps until they are acknowledged: it asks for no more leases when both are exceeded.
    public var unacknowledgedResults = 64
    /// In bytes.
    public var unacknowledgedBytes = 64 << 20
    /// The pause before a worker connects again, doubled each time up to the maximum.
    public var reconnectPause: Duration = .milliseconds(100)
    /// Where the doubling of the pause ends.
    public var reconnectPauseMaximum: Duration = .seconds(4)
    /// How long a worker tries to connect before it tries the other family of addresses.
    public var connectTimeout: Duration = .seconds(3)
    /// A worker without a coordinator for so long gives up.
    public var patience: Duration = .seconds(300)
    /// Who waits for the other side says so this often.
    public var waitingReport: Duration = .seconds(5)
    /// And for the first time so long after it began to wait: what is there in a moment is not worth a word.
    public var firstWaitingReport: Duration = .seconds(2)
    /// How long a worker that is told to stop may finish what it computes.
    public var drainTimeout: Duration = .seconds(8)
    /// In bytes; artifacts of the current pass are kept even beyond it.
    public var artifactCacheSize = 2 << 30

    /// Bytes in a bulk frame, the same on both sides.
    package var chunkSize = WireLimits.chunkSize
    /// The largest payload or result, in bytes.
    public static let maximumShardSize = WireLimits.shardSize

    /// The limits that suit most jobs.
    public init() {}

    /// Deadlines are looked at so often. A killed peer is also noticed at this pace: sending to it fails.
    package var tick: Duration { heartbeatInterval / 4 }
}
