import Messaging

extension CoordinatorState {
    /// What must hold after every event; what does not, in words. For tests: it looks at everything.
    package func invariantViolations() -> [String] {
        var violations: [String] = []
        func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
            if !condition { violations.append(message()) }
        }
        expect(Set(workers).count == workers.count && Set(workers) == Set(records.keys), "workers and records differ")
        expect(Set(workers.map(\.worker)).count == workers.count, "two sessions of one worker")
        guard let pass else { return violations }
        expect(Set(pass.pendingReversed).count == pass.pendingCount, "a shard waits twice")
        for (index, shard) in pass.shards {
            let isPending = pass.pendingReversed.contains(index)
            expect(!pass.committed.contains(index), "shard \(index) is committed and kept")
            expect(
                [isPending, !shard.holders.isEmpty, shard.received != nil].filter(\.self).count == 1,
                "shard \(index): waits \(isPending), holders \(shard.holders), received \(shard.received != nil)")
            expect(shard.holders.count <= 2, "shard \(index) is held \(shard.holders.count) times")
            for token in shard.holders {
                expect(
                    pass.leases[token]?.shard == index && pass.leases[token]?.isOver == false,
                    "shard \(index) is held by a lease \(token) that is over")
            }
        }
        for index in pass.pendingReversed { expect(pass.shards[index] != nil, "shard \(index) waits without payload") }
        for (token, lease) in pass.leases {
            expect(records[lease.peer]?.leases.contains(token) ?? false, "lease \(token) of a worker that is gone")
            expect(
                lease.isOver || (pass.shards[lease.shard]?.holders.contains(token) ?? false),
                "lease \(token) without its shard")
        }
        for (peer, record) in records {
            expect(record.credits >= 0, "\(peer) owes credits")
            for token in record.leases { expect(pass.leases[token]?.peer == peer, "\(peer) holds a lease not its own") }
        }
        if let reduction = pass.reduction {
            expect(pass.committed.count == 0 || reduction.digest != nil, "committed before all agree")
            for (index, shard) in pass.shards {
                expect(shard.holders.count <= 1, "shard \(index) of a reduced pass is held twice")
                expect(
                    (shard.received != nil) == (shard.contributor != nil),
                    "shard \(index) has a summary and nobody that contributes it")
                if reduction.digest == nil, let contributor = shard.contributor {
                    expect(records[contributor] != nil, "shard \(index) counts on a worker that is gone")
                }
            }
            for participant in reduction.roster where reduction.digest == nil {
                expect(records[participant.peer] != nil, "a participant that is gone")
            }
            if !reduction.roster.isEmpty, reduction.digest == nil {
                let planned = reduction.roster.flatMap(\.shards)
                expect(planned.sorted() == Array(0..<(pass.totalShards ?? 0)), "a plan of shards \(planned)")
            }
            if reduction.digest == nil { return violations }
        }
        let received = pass.shards.values.filter { $0.received != nil }
        expect(pass.uncommitted == received.count, "\(pass.uncommitted) uncommitted, not \(received.count)")
        expect(
            pass.uncommittedBytes == received.reduce(0) { $0 + $1.shard.payload.count },
            "the bytes of uncommitted shards do not add up")
        return violations
    }

    /// Shards whose payloads are kept.
    package var heldShards: Int { pass?.shards.count ?? 0 }

    /// Credits and leases of the workers that live: with the read-ahead, what may be held.
    package var grantedCapacity: Int {
        workers.reduce(0) { $0 + (records[$1]?.credits ?? 0) + (records[$1]?.leases.count ?? 0) }
    }
}

extension WorkerState {
    /// Leases and results that are kept, for tests of their bounds.
    package var heldLeases: Int { leases.count }
    package var heldResults: Int { results.count }
}
