import Foundation
import Messaging

/// Who computes which shard, and what happens when they do not.
extension CoordinatorState {
    /// Gives shards to the workers that have asked for them, the least loaded first.
    mutating func lease(now: Moment) {
        guard let pass, !isCommitBehind(pass) else { return }
        for position in pass.pendingReversed.indices.reversed() {
            guard workers.contains(where: { (records[$0]?.credits ?? 0) > 0 }) else { break }
            let shard = pass.pendingReversed[position]
            guard let peer = leastLoaded(without: shard) else { continue }
            self.pass?.pendingReversed.remove(at: position)
            grant(shard, to: peer, now: now)
        }
        repeatStragglers(now: now)
    }

    private func isCommitBehind(_ pass: PassRecord) -> Bool {
        (pass.uncommitted >= limits.uncommittedResults && pass.uncommittedBytes >= limits.uncommittedBytes)
            || pass.uncommitted >= limits.uncommittedResults * 64
    }

    /// The worker with credit and the fewest leases a lane that does not hold the shard already: a hung lane must not
    /// be given again what it hangs on.
    private func leastLoaded(without shard: Int) -> PeerID? {
        var best: (peer: PeerID, load: Double)?
        for peer in workers {
            guard let record = records[peer], record.credits > 0, !holds(shard, record) else { continue }
            let load = Double(record.leases.count) / Double(record.hello.lanes)
            if best.map({ load < $0.load }) ?? true { best = (peer, load) }
        }
        return best?.peer
    }

    private func holds(_ shard: Int, _ record: WorkerRecord) -> Bool {
        record.leases.contains { pass?.leases[$0]?.shard == shard }
    }

    private mutating func grant(_ index: Int, to peer: PeerID, now: Moment) {
        guard let pass, let record = pass.shards[index] else { return }
        precondition(tokenCounter < .max, "the tokens of this epoch are used up")
        tokenCounter += 1
        let token = LeaseToken(epoch: identity.epoch, counter: tokenCounter)
        let median = pass.durations.median ?? .zero
        let duration = max(limits.minimumLeaseDuration, median * limits.leaseMedians)
        self.pass?.leases[token] = LeaseRecord(shard: index, peer: peer, granted: now, duration: duration)
        self.pass?.shards[index]?.holders.append(token)
        if pass.firstLease == nil { self.pass?.firstLease = now }
        records[peer]?.credits -= 1
        records[peer]?.leases.append(token)
        let payload = record.shard.payload
        let chunks = stride(from: 0, to: max(1, payload.count), by: limits.chunkSize)
        for offset in chunks {
            let start = payload.startIndex + offset
            let chunk = payload[start..<min(payload.endIndex, start + limits.chunkSize)]
            let message: CoordinatorMessage =
                offset == 0
                ? .lease(
                    CoordinatorMessage.LeaseMessage(
                        pass: pass.index, shard: index, token: token, sampleCount: record.shard.sampleCount,
                        size: payload.count, chunk: chunk))
                : .leaseChunk(token: token, offset: offset, chunk: chunk)
            send(message, to: peer)
        }
    }

    /// At the end of a pass, workers without anything to do repeat what takes others too long: once each, oldest first.
    private mutating func repeatStragglers(now: Moment) {
        // What is computed twice in a reduced pass would count twice.
        guard let pass, pass.reduction == nil, pass.totalShards != nil, pass.pendingCount == 0,
            let median = pass.durations.median
        else {
            return
        }
        let age = max(limits.minimumSpeculationAge, median * limits.speculationMedians)
        for peer in workers {
            guard let record = records[peer], record.credits > 0, record.leases.isEmpty else { continue }
            let oldest = pass.leases
                .filter { !$0.value.isOver && now - $0.value.granted >= age }
                .filter {
                    self.pass?.shards[$0.value.shard].map { $0.holders.count == 1 && $0.received == nil } ?? false
                }
                .min { $0.key < $1.key }
            guard let shard = oldest?.value.shard else { return }
            log(LogEvent(.debug, "straggler repeated", ["shard": "\(shard)", "worker.id": peer.description]))
            grant(shard, to: peer, now: now)
        }
    }

    /// A lease is answered or its worker gone: the shard waits again unless another holds it or it has a result.
    mutating func release(_ token: LeaseToken, isLoss: Bool, now: Moment) {
        guard let lease = pass?.leases.removeValue(forKey: token) else { return }
        records[lease.peer]?.leases.removeAll { $0 == token }
        guard var shard = pass?.shards[lease.shard] else { return }
        let wasHeld = !shard.holders.isEmpty
        shard.holders.removeAll { $0 == token }
        if isLoss, !lease.isOver { shard.losses += 1 }
        pass?.shards[lease.shard] = shard
        guard shard.received == nil else { return }
        if shard.losses >= limits.shardLosses {
            fail(ClusterError(.shardLost, pass: pass?.name, shard: lease.shard, worker: lease.peer.worker))
        } else if wasHeld, shard.holders.isEmpty {
            pass?.putBack(lease.shard)
        }
    }

    /// The worker will not answer in time, or need not: the shard counts on it no longer.
    private mutating func end(_ token: LeaseToken) {
        guard let lease = pass?.leases[token], !lease.isOver else { return }
        pass?.leases[token]?.isOver = true
        pass?.shards[lease.shard]?.holders.removeAll { $0 == token }
        send(.revoke(tokens: [token]), to: lease.peer)
    }

    mutating func endOthers(of shard: Int, but token: LeaseToken) {
        for other in pass?.shards[shard]?.holders ?? [] where other != token { end(other) }
    }

    mutating func takeBack(_ tokens: [LeaseToken], from peer: PeerID, now: Moment) {
        for token in tokens.reversed() where pass?.leases[token]?.peer == peer {
            release(token, isLoss: false, now: now)
        }
    }

    /// How long a worker of a reduced pass may hold leases without answering any: as long as no shard of the pass is done,
    /// shards may just be slow.
    private func patience(_ pass: PassRecord) -> Duration {
        guard let median = pass.durations.median else {
            return limits.minimumLeaseDuration * limits.hungLeaseDurations
        }
        return max(limits.minimumLeaseDuration, median * limits.leaseMedians)
    }

    mutating func expireLeases(now: Moment) {
        guard let pass else { return }
        for (token, lease) in pass.leases.sorted(by: { $0.key < $1.key }) {
            guard self.pass?.leases[token] != nil else { continue }
            let age = now - lease.granted
            if age > lease.duration * limits.hungLeaseDurations, records[lease.peer] != nil {
                drop(lease.peer, .hung, now: now)
            } else if pass.reduction != nil {
                // It may have contributed a part of the shard already, so nobody else is given the shard as long as it lives.
                if let record = records[lease.peer], now - max(lease.granted, record.lastAnswer) > patience(pass) {
                    drop(lease.peer, .hung, now: now)
                }
            } else if age > lease.duration, !lease.isOver, let record = records[lease.peer] {
                // A lease that waits behind a lane that hangs is given back at once when it expires, again and again.
                if let hungFrom = record.hungFrom, now > hungFrom {
                    drop(lease.peer, .hung, now: now)
                    continue
                }
                if record.hungFrom == nil {
                    records[lease.peer]?.hungFrom = now + lease.duration * limits.hungLeaseDurations
                }
                log(
                    LogEvent(
                        .warning, "lease expired", ["shard": "\(lease.shard)", "worker.id": lease.peer.description]))
                end(token)
                if let shard = self.pass?.shards[lease.shard], shard.holders.isEmpty, shard.received == nil {
                    self.pass?.putBack(lease.shard)
                }
            }
        }
    }
}
