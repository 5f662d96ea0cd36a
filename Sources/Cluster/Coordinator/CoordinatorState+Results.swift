import Foundation
import Messaging

/// Results and failures of shards.
extension CoordinatorState {
    mutating func receiveResult(_ message: WorkerMessage.ResultMessage, from peer: PeerID, now: Moment) {
        guard message.chunk.count < message.size else {
            accept(message, message.chunk, from: peer, now: now)
            return
        }
        records[peer]?.partial = PartialResult(message: message, data: message.chunk)
    }

    mutating func receiveChunk(
        _ token: LeaseToken, _ offset: Int, _ chunk: Data, from peer: PeerID, now: Moment
    ) {
        // Taken out of the record, so that appending does not copy.
        guard var partial = records[peer]?.partial.take(), partial.message.token == token,
            offset == partial.data.count, !chunk.isEmpty, offset + chunk.count <= partial.message.size
        else {
            drop(peer, .violation, now: now)
            return
        }
        partial.data.append(chunk)
        if partial.data.count == partial.message.size {
            accept(partial.message, partial.data, from: peer, now: now)
        } else {
            records[peer]?.partial = partial
        }
    }

    private mutating func accept(
        _ message: WorkerMessage.ResultMessage, _ data: Data, from peer: PeerID, now: Moment
    ) {
        let token = message.token
        records[peer]?.hungFrom = nil
        records[peer]?.lastAnswer = now
        // Fenced: of another life of the coordinator, or of a pass that is over. The worker may forget it.
        guard token.epoch == identity.epoch, token.counter <= tokenCounter, let pass, message.pass == pass.index else {
            send(.ack(tokens: [token]), to: peer)
            return
        }
        let lease = pass.leases[token]
        guard lease == nil || (lease?.peer.worker == peer.worker && lease?.shard == message.shard) else {
            drop(peer, .violation, now: now)
            return
        }
        if let matches = pass.committed.matches(message.shard, digest: message.digest) {
            release(token, isLoss: false, now: now)
            if matches {
                send(.ack(tokens: [token]), to: peer)
            } else {
                differ(message, from: peer, other: "committed")
            }
            return
        }
        guard let shard = pass.shards[message.shard] else {
            // Not read yet in this life, or no such shard at all; a lease that we gave has a shard that we read.
            drop(peer, .violation, now: now)
            return
        }
        if pass.reduction != nil {
            keep(message, data, from: peer, now: now)
            return
        }
        if let received = shard.received {
            release(token, isLoss: false, now: now)
            if received == message.digest {
                self.pass?.shards[message.shard]?.acknowledge.append((peer, token))
            } else {
                differ(message, from: peer, other: shard.receivedFrom)
            }
            return
        }
        if let lease { self.pass?.durations.insert(now - lease.granted) }
        self.pass?.shards[message.shard]?.received = message.digest
        self.pass?.shards[message.shard]?.receivedFrom = peer.worker
        self.pass?.shards[message.shard]?.acknowledge.append((peer, token))
        self.pass?.uncommitted += 1
        self.pass?.uncommittedBytes += shard.shard.payload.count
        // A late result of a shard that waits again.
        if shard.holders.isEmpty { self.pass?.pendingReversed.removeAll { $0 == message.shard } }
        release(token, isLoss: false, now: now)
        endOthers(of: message.shard, but: token)
        actions.append(
            .merge(
                ReceivedResult(
                    pass: pass.index, shard: message.shard, sampleCount: shard.shard.sampleCount,
                    digest: message.digest, result: data, worker: peer.worker,
                    elapsed: pass.firstLease.map { now - $0 } ?? .zero)))
    }

    /// Two results of one shard that are not the same bytes: nothing that was computed can be trusted any more.
    private mutating func differ(_ message: WorkerMessage.ResultMessage, from peer: PeerID, other: String) {
        let error = ClusterError(
            .resultsDiffer, pass: pass?.name, shard: message.shard, worker: peer.worker, expected: other,
            found: message.digest.description)
        log(
            LogEvent(
                .critical, "results of one shard differ",
                ["shard": "\(message.shard)", "worker.id": peer.description, "worker.other": other]))
        expelled.insert(peer.worker)
        fail(error)
    }

    /// The bytes were damaged between their digest and here: the worker is not trusted, the shard computed again.
    mutating func reject(_ index: Int, now: Moment) {
        guard let shard = pass?.shards[index], shard.received != nil else { return }
        pass?.shards[index]?.received = nil
        pass?.shards[index]?.contributor = nil
        pass?.shards[index]?.summary = Data()
        pass?.shards[index]?.acknowledge = []
        pass?.uncommitted -= 1
        pass?.uncommittedBytes -= shard.shard.payload.count
        pass?.isFlushed = false
        if shard.holders.isEmpty { pass?.putBack(index) }
        log(LogEvent(.error, "damaged result", ["shard": "\(index)", "worker.id": shard.receivedFrom]))
        expelled.insert(shard.receivedFrom)
        for peer in workers where peer.worker == shard.receivedFrom { drop(peer, .expelled, now: now) }
    }

    mutating func shardFailed(
        _ index: Int, _ shard: Int, _ token: LeaseToken, _ failure: ShardFailure, on peer: PeerID, now: Moment
    ) {
        guard let pass, pass.index == index, let lease = pass.leases[token], lease.peer == peer, lease.shard == shard
        else { return }
        records[peer]?.hungFrom = nil
        log(
            LogEvent(
                .warning, "shard failed",
                ["shard": "\(shard)", "worker.id": peer.description, "failure.code": failure.code]
                    .merging(failure.logFields) { first, _ in first }))
        self.pass?.failedAttempts += 1
        self.pass?.shards[shard]?.failures += 1
        let attempts = self.pass?.shards[shard]?.failures ?? 0
        // Failing where another has succeeded is that worker's own trouble.
        let isOpen = pass.shards[shard].map { $0.received == nil } ?? false
        if isOpen, failure.permanent || attempts >= limits.shardAttempts {
            fail(ClusterError(.shardFailed, pass: pass.name, shard: shard, worker: peer.worker, failure: failure))
        } else if pass.reduction != nil {
            // It may have contributed a part of the shard already.
            drop(peer, .failedShard, now: now)
        } else {
            release(token, isLoss: false, now: now)
        }
    }
}
