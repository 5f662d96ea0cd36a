import DequeModule
import Foundation
import Messaging
import Support

/// The shards of a pass, from being read to being committed: what waits, what has a result, what is done. Who holds a shard
/// in between is in the `LeaseBook`.
struct ShardLedger {
    /// The first result of a shard, while it is being committed.
    struct Received {
        let digest: SHA256Digest
        let worker: String
        /// To be told when it is committed.
        fileprivate(set) var acknowledge: [(peer: PeerID, token: LeaseToken)]
    }

    /// In a reduced pass: who has what the shard contributes, and its result, which is merged at the end.
    struct Contribution {
        let digest: SHA256Digest
        let peer: PeerID
        let summary: Data
    }

    enum Progress {
        /// It waits or is held.
        case open
        case received(Received)
        case contributed(Contribution)

        var isOpen: Bool { if case .open = self { true } else { false } }
    }

    struct Entry {
        let shard: Shard
        fileprivate(set) var progress = Progress.open
        fileprivate var failures = 0
        fileprivate var losses = 0
    }

    private let limits: ProtocolLimits
    private(set) var committed: CommittedShards
    /// Known once the source has ended.
    private(set) var total: Int?
    /// Asked of the source and not yet delivered.
    private var readsUnderWay = 0
    /// Read and not committed.
    private var entries: [Int: Entry] = [:]
    /// Read and held by nobody, the next first.
    private(set) var pending: Deque<Int> = []
    /// Results that are being committed, and the bytes of their shards' payloads.
    private var uncommitted = 0
    private var uncommittedBytes = 0
    private var isFlushed = false

    init(committed: CommittedShards, limits: ProtocolLimits) {
        self.committed = committed
        self.limits = limits
    }

    subscript(shard: Int) -> Entry? { entries[shard] }

    /// Shards whose payloads are kept.
    var count: Int { entries.count }

    /// Results wait for being committed in such numbers that more would only pile up.
    var isCommitBehind: Bool {
        (uncommitted >= limits.uncommittedResults && uncommittedBytes >= limits.uncommittedBytes)
            || uncommitted >= limits.uncommittedResults * 64
    }

    /// Whether every shard is read and none waits or is committed: all are in somebody's hands.
    var isHandedOut: Bool {
        guard let total, total > 0 else { return false }
        return entries.count == total && pending.isEmpty
    }

    /// Whether nothing that was read is open.
    var isComputed: Bool { entries.values.allSatisfy { !$0.progress.isOpen } }

    /// In the order of their numbers.
    var indices: [Int] { entries.keys.sorted() }

    // MARK: Reading

    /// How many shards to ask the source for, so that there is a little more than the workers have credits for.
    mutating func reads(forCredits credits: Int) -> Int {
        guard total == nil else { return 0 }
        let wanted = max(0, credits + limits.readAhead - pending.count - readsUnderWay)
        readsUnderWay += wanted
        return wanted
    }

    mutating func add(_ shard: Shard) {
        precondition(entries[shard.index] == nil && !committed.contains(shard.index), "a shard was read twice")
        readsUnderWay -= 1
        entries[shard.index] = Entry(shard: shard)
        pending.append(shard.index)
    }

    mutating func end(at total: Int) { self.total = total }

    // MARK: Waiting

    /// Takes the next shard that somebody takes.
    /// - Parameter taker: nil where nobody can take the shard.
    mutating func next<Taker>(from position: inout Int, taker: (Int) -> Taker?) -> (Shard, Taker)? {
        while position < pending.count {
            if let entry = entries[pending[position]], let found = taker(entry.shard.index) {
                pending.remove(at: position)
                return (entry.shard, found)
            }
            position += 1
        }
        return nil
    }

    /// To the front: it has waited longest.
    mutating func putBack(_ shard: Int) { pending.prepend(shard) }

    // MARK: What becomes of leases

    /// A worker was lost with the shard in its hands.
    /// - Returns: whether the shard is taken for what kills workers.
    mutating func lose(_ shard: Int) -> Bool {
        guard let losses = entries[shard]?.losses else { return false }
        entries[shard]?.losses = losses + 1
        return entries[shard]?.progress.isOpen == true && losses + 1 >= limits.shardLosses
    }

    /// An attempt has failed.
    /// - Returns: whether it was one too many. Failing where another has succeeded is that worker's own trouble.
    mutating func fail(_ shard: Int, permanently: Bool) -> Bool {
        guard let failures = entries[shard]?.failures else { return false }
        entries[shard]?.failures = failures + 1
        return entries[shard]?.progress.isOpen == true && (permanently || failures + 1 >= limits.shardAttempts)
    }

    /// The first result of a shard.
    mutating func receive(_ index: Int, _ digest: SHA256Digest, from peer: PeerID, _ token: LeaseToken, isHeld: Bool) {
        entries[index]?.progress = .received(
            Received(digest: digest, worker: peer.worker, acknowledge: [(peer, token)]))
        count(index)
        // A late result of a shard that waits again.
        if !isHeld { pending.removeAll { $0 == index } }
    }

    /// Another worker has the same result and is to be told as well.
    mutating func receiveAgain(_ index: Int, from peer: PeerID, _ token: LeaseToken) {
        guard case .received(var received) = entries[index]?.progress else { return }
        received.acknowledge.append((peer, token))
        entries[index]?.progress = .received(received)
    }

    mutating func contribute(_ index: Int, _ contribution: Contribution) {
        entries[index]?.progress = .contributed(contribution)
    }

    /// Puts back what those have contributed who are gone.
    mutating func takeBack(where isGone: (PeerID) -> Bool) {
        let lost = entries.filter { if case .contributed(let kept) = $1.progress { isGone(kept.peer) } else { false } }
        // From the last, so that they come to the front in their order.
        for shard in lost.keys.sorted(by: >) {
            entries[shard]?.progress = .open
            putBack(shard)
        }
    }

    // MARK: Committing

    /// The contribution of a shard is handed over to be merged.
    mutating func handOver(_ index: Int) -> Contribution? {
        guard case .contributed(let contribution) = entries[index]?.progress else { return nil }
        count(index)
        return contribution
    }

    private mutating func count(_ index: Int) {
        uncommitted += 1
        uncommittedBytes += entries[index]?.shard.payload.count ?? 0
    }

    /// - Returns: whom to tell, in the order of the shards.
    mutating func commit(_ shards: [Int]) -> [(peer: PeerID, token: LeaseToken)] {
        var acknowledgements: [(peer: PeerID, token: LeaseToken)] = []
        for index in shards {
            guard let entry = entries.removeValue(forKey: index) else {
                preconditionFailure("a shard was committed that is not kept")
            }
            let digest: SHA256Digest
            switch entry.progress {
            case .open: preconditionFailure("a shard was committed without a result")
            case .received(let received):
                digest = received.digest
                acknowledgements += received.acknowledge
            case .contributed(let contribution): digest = contribution.digest
            }
            uncommitted -= 1
            uncommittedBytes -= entry.shard.payload.count
            committed.insert(index, digest: digest, samples: entry.shard.sampleCount)
        }
        return acknowledgements
    }

    /// A result's bytes were damaged: the shard is computed again.
    /// - Returns: the worker that the result came from; nil where there is no result.
    mutating func reject(_ index: Int, isHeld: Bool) -> String? {
        let worker: String
        switch entries[index]?.progress {
        case nil, .open: return nil
        case .received(let received): worker = received.worker
        case .contributed(let contribution): worker = contribution.peer.worker
        }
        entries[index]?.progress = .open
        uncommitted -= 1
        uncommittedBytes -= entries[index]?.shard.payload.count ?? 0
        isFlushed = false
        if !isHeld { putBack(index) }
        return worker
    }

    /// Whether all results were handed over and are to be committed without waiting for more; once.
    mutating func mustFlush() -> Bool {
        guard let total, committed.count + uncommitted >= total, uncommitted > 0, !isFlushed else { return false }
        isFlushed = true
        return true
    }

    var isDone: Bool { total.map { committed.count >= $0 } ?? false }

    // MARK: Invariants

    /// - Parameter holders: how many leases a shard counts on.
    /// - Parameter countsContributions: whether contributions are being merged.
    func invariantViolations(holders: (Int) -> Int, countsContributions: Bool) -> [String] {
        var violations: [String] = []
        func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
            if !condition { violations.append(message()) }
        }
        expect(Set(pending).count == pending.count, "a shard waits twice")
        for shard in pending { expect(entries[shard] != nil, "shard \(shard) waits without payload") }
        var received = 0
        var bytes = 0
        for (index, entry) in entries {
            let isPending = pending.contains(index)
            expect(!committed.contains(index), "shard \(index) is committed and kept")
            expect(
                [isPending, holders(index) > 0, !entry.progress.isOpen].filter(\.self).count == 1,
                "shard \(index): waits \(isPending), holders \(holders(index)), \(entry.progress)")
            var isCounted = countsContributions
            if case .received = entry.progress { isCounted = true }
            guard isCounted, !entry.progress.isOpen else { continue }
            received += 1
            bytes += entry.shard.payload.count
        }
        expect(uncommitted == received, "\(uncommitted) uncommitted, not \(received)")
        expect(uncommittedBytes == bytes, "the bytes of uncommitted shards do not add up")
        return violations
    }
}
