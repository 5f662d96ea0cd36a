import Foundation
import Messaging
import Support

/// The pass that runs, as the coordinator sees it.
struct PassRecord {
    let index: Int
    let name: String
    let descriptor: ArtifactReference
    let artifacts: [ArtifactReference]
    let isJournaled: Bool
    var committed: CommittedShards
    /// Known once the source has ended.
    var totalShards: Int?
    /// Read and not committed.
    var shards: [Int: ShardRecord] = [:]
    /// Read and held by nobody, the next first. Kept in reverse, so that both ends of use are cheap.
    var pendingReversed: [Int] = []
    /// Asked of the source and not yet delivered.
    var readsUnderWay = 0
    var leases: [LeaseToken: LeaseRecord] = [:]
    /// Results that are received and not committed, and the bytes of their payloads.
    var uncommitted = 0
    var uncommittedBytes = 0
    var durations = RecentDurations()
    var firstLease: Moment?
    var failedAttempts = 0
    var isFlushed = false
    /// Of a reduced pass.
    var reduction: ReductionRecord?
    /// Workers that lack the state that the pass needs.
    var lacking: Set<PeerID> = []

    var pendingCount: Int { pendingReversed.count }

    /// To the front: it has waited longest.
    mutating func putBack(_ shard: Int) { pendingReversed.append(shard) }

    mutating func putLast(_ shard: Int) { pendingReversed.insert(shard, at: 0) }
}

struct ShardRecord {
    let shard: Shard
    /// Leases that have not expired and were not answered.
    var holders: [LeaseToken] = []
    /// The first result, while it is being committed.
    var received: SHA256Digest?
    var receivedFrom = ""
    /// To be told when it is committed.
    var acknowledge: [(peer: PeerID, token: LeaseToken)] = []
    var failures = 0
    var losses = 0
    /// In a reduced pass: who holds what the shard contributes, and its result, which is merged at the end.
    var contributor: PeerID?
    var summary = Data()
}

struct LeaseRecord {
    let shard: Int
    let peer: PeerID
    let granted: Moment
    let duration: Duration
    /// Expired or revoked: the shard no longer counts on it.
    var isOver = false
}

/// The times that the last shards took from lease to result: their median tells a straggler from a slow job.
struct RecentDurations {
    private var durations: [Duration] = []
    private var next = 0

    mutating func insert(_ duration: Duration) {
        if durations.count < 63 {
            durations.append(duration)
        } else {
            durations[next] = duration
            next = (next + 1) % durations.count
        }
    }

    var median: Duration? {
        durations.isEmpty ? nil : durations.sorted()[durations.count / 2]
    }
}
