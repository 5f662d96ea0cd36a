import Foundation
import Messaging
import Support

/// A pass from its beginning to its end: reading ahead, set-up of workers, artifacts.
extension CoordinatorState {
    mutating func begin(_ start: PassStart, now: Moment) {
        guard phase == .running else { return }
        precondition(pass == nil, "a pass was begun while another runs")
        var references: [ArtifactReference] = []
        for id in start.artifacts {
            guard let data = artifacts[id] else { preconditionFailure("an artifact of the pass was not added") }
            references.append(ArtifactReference(id: id, size: data.count))
        }
        let descriptor = ArtifactReference(id: SHA256Digest(of: start.descriptor), size: start.descriptor.count)
        artifacts[descriptor.id] = start.descriptor
        pass = PassRecord(
            index: start.pass, name: start.name, descriptor: descriptor, artifacts: references,
            isJournaled: start.isJournaled, committed: start.committed)
        if start.isReduced { pass?.reduction = ReductionRecord() }
        log(
            LogEvent(
                start.isJournaled ? .info : .debug, "pass begins",
                ["pass.name": start.name, "shards.committed": "\(start.committed.count)"]))
        for peer in workers { announcePass(to: peer, now: now) }
    }

    mutating func announcePass(to peer: PeerID, now: Moment) {
        guard let pass else { return }
        records[peer]?.credits = 0
        records[peer]?.hungFrom = nil
        records[peer]?.setUpSince = now
        send(
            .passBegin(
                CoordinatorMessage.PassBegin(
                    pass: pass.index, name: pass.name, descriptor: pass.descriptor, artifacts: pass.artifacts,
                    isReduced: pass.reduction != nil)),
            to: peer)
    }

    mutating func sendChunk(of artifact: ArtifactID, _ offset: Int, to peer: PeerID, now: Moment) {
        // A fetch may be about a pass that is over, its descriptor gone; the worker will hear of the next one.
        guard let data = artifacts[artifact], offset < data.count else { return }
        let start = data.startIndex + offset
        let chunk = data[start..<min(data.endIndex, start + limits.chunkSize)]
        send(.artifactChunk(artifact: artifact, offset: offset, chunk: chunk), to: peer)
    }

    mutating func passFailed(_ index: Int, _ failure: ShardFailure, on peer: PeerID, now: Moment) {
        guard let pass, pass.index == index else { return }
        records[peer]?.setUpSince = nil
        if failure.code == ShardFailure.stateMissing {
            self.pass?.lacking.insert(peer)
            return
        }
        log(
            LogEvent(
                .error, "pass set-up failed",
                ["worker.id": peer.description, "pass.name": pass.name, "failure.code": failure.code]
                    .merging(failure.logFields) { first, _ in first }))
        if failure.permanent {
            fail(ClusterError(.passFailed, pass: pass.name, worker: peer.worker, failure: failure))
        } else {
            drop(peer, .expelled, now: now)
        }
    }

    /// Asks the source for what the workers have credits for and a little more.
    mutating func read() {
        guard let pass, pass.totalShards == nil else { return }
        let credits = workers.reduce(0) { $0 + (records[$1]?.credits ?? 0) }
        let wanted = credits + limits.readAhead - pass.pendingCount - pass.readsUnderWay
        guard wanted > 0 else { return }
        self.pass?.readsUnderWay += wanted
        actions.append(.readShards(wanted))
    }

    mutating func add(_ shard: Shard) {
        guard let pass else { return }
        precondition(
            pass.shards[shard.index] == nil && !pass.committed.contains(shard.index), "a shard was read twice")
        self.pass?.readsUnderWay -= 1
        self.pass?.shards[shard.index] = ShardRecord(shard: shard)
        self.pass?.putLast(shard.index)
    }

    mutating func commit(_ shards: [Int], now: Moment) {
        guard pass != nil else { return }
        var acknowledgements: [PeerID: [LeaseToken]] = [:]
        for shard in shards {
            guard let record = pass?.shards.removeValue(forKey: shard), let digest = record.received else {
                preconditionFailure("a shard was committed without a result")
            }
            pass?.uncommitted -= 1
            pass?.uncommittedBytes -= record.shard.payload.count
            pass?.committed.insert(shard, digest: digest, samples: record.shard.sampleCount)
            for (peer, token) in record.acknowledge { acknowledgements[peer, default: []].append(token) }
        }
        for peer in workers {
            guard let tokens = acknowledgements[peer] else { continue }
            sendTokens(tokens, to: peer) { .ack(tokens: $0) }
        }
    }

    mutating func completePassIfDone(now: Moment) {
        guard let pass, let total = pass.totalShards else { return }
        if pass.committed.count + pass.uncommitted >= total, pass.uncommitted > 0, !pass.isFlushed {
            self.pass?.isFlushed = true
            actions.append(.flush)
        }
        guard pass.committed.count >= total else { return }
        let seconds = pass.firstLease.map { (now - $0).seconds } ?? 0
        dismissPass()
        log(
            LogEvent(
                pass.isJournaled ? .info : .debug, "pass complete",
                ["pass.name": pass.name, "shards": "\(total)", "samples": "\(pass.committed.samples)"]))
        actions.append(
            .passCompleted(
                PassCompletion(
                    samples: pass.committed.samples, shards: total, seconds: seconds,
                    failedAttempts: pass.failedAttempts, digest: pass.reduction?.digest,
                    workersLackingState: workers.count { pass.lacking.contains($0) })))
    }

    /// Nobody works on the pass any more.
    mutating func dismissPass() {
        guard let pass else { return }
        for peer in workers {
            let held = records[peer]?.leases ?? []
            // What is left are repetitions; their results are not needed.
            sendTokens(held, to: peer) { .revoke(tokens: $0) }
            records[peer]?.leases = []
            records[peer]?.credits = 0
            records[peer]?.setUpSince = nil
        }
        if !pass.artifacts.contains(pass.descriptor) { artifacts[pass.descriptor.id] = nil }
        self.pass = nil
    }

    mutating func sendTokens(
        _ tokens: [LeaseToken], to peer: PeerID, as message: ([LeaseToken]) -> CoordinatorMessage
    ) {
        for start in stride(from: 0, to: tokens.count, by: WireLimits.tokensPerMessage) {
            let part = tokens[start..<min(tokens.count, start + WireLimits.tokensPerMessage)]
            send(message(Array(part)), to: peer)
        }
    }
}

extension ShardFailure {
    var logFields: [String: String] {
        Dictionary(uniqueKeysWithValues: fields.map { ("failure.\($0.key)", $0.value) })
    }
}
