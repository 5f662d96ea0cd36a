import Foundation
import Messaging
import Support

/// A lease in a worker's hands.
struct HeldLease {
    let pass: Int
    let shard: Int
    let setUp: Int
    let size: Int
    /// What has arrived of the payload; emptied when it is handed to the lanes.
    var payload: Data
    /// The payload is not the frame that the first chunk came in.
    var ownsPayload = false
    /// Not handed to the lanes yet.
    var isArriving = true
}

struct HeldResult {
    let pass: Int
    let shard: Int
    let token: LeaseToken
    let digest: SHA256Digest
    let data: Data
    let nanoseconds: Int
}

/// Leases from their arrival to the acknowledgement of their results.
extension WorkerState {
    /// Asks for leases until as many are held and asked for as the lanes can use.
    mutating func requestLeases() {
        guard phase == .joined, session.isPassAnnounced, let pass, setUpPhase == .ready, drainUntil == nil else {
            return
        }
        // While the coordinator is behind with committing, more results would only pile up here.
        if results.count >= limits.unacknowledgedResults, resultBytes >= limits.unacknowledgedBytes { return }
        if results.count >= limits.unacknowledgedResults * 64 { return }
        let wanted = limits.creditsPerLane * identity.lanes - creditsOut - leases.count
        guard wanted > 0 else { return }
        creditsOut += wanted
        send(.request(pass: pass.pass, credits: wanted))
    }

    mutating func receiveLease(_ lease: CoordinatorMessage.LeaseMessage, now: Moment) {
        guard session.isPassAnnounced, let pass, pass.pass == lease.pass, setUpPhase == .ready,
            leases[lease.token] == nil, creditsOut > 0
        else {
            loseSession("protocol violation", now: now)
            return
        }
        creditsOut -= 1
        leases[lease.token] = HeldLease(
            pass: lease.pass, shard: lease.shard, setUp: setUpNumber, size: lease.size, payload: lease.chunk)
        arriving = lease.token
        computeIfComplete(lease.token)
    }

    mutating func receiveChunk(_ token: LeaseToken, _ offset: Int, _ chunk: Data, now: Moment) {
        // Taken out, so that appending does not copy what is there.
        guard arriving == token, var lease = leases.removeValue(forKey: token), lease.payload.count == offset,
            !chunk.isEmpty, offset + chunk.count <= lease.size
        else {
            loseSession("protocol violation", now: now)
            return
        }
        if !lease.ownsPayload {
            // The second chunk: from here on the payload has its own memory, of its final size.
            var whole = Data(capacity: lease.size)
            whole.append(lease.payload)
            lease.payload = whole
            lease.ownsPayload = true
        }
        lease.payload.append(chunk)
        leases[token] = lease
        computeIfComplete(token)
    }

    private mutating func computeIfComplete(_ token: LeaseToken) {
        guard let lease = leases[token], lease.payload.count == lease.size else { return }
        leases[token]?.payload = Data()
        leases[token]?.isArriving = false
        arriving = nil
        actions.append(
            .compute(WorkItem(id: ItemID(setUp: lease.setUp, token: token), shard: lease.shard, payload: lease.payload))
        )
        // A draining worker takes nothing new, though it may already have asked.
        if drainUntil != nil { actions.append(.cancel([token])) }
    }

    mutating func computed(_ item: ItemID, _ data: Data, _ digest: SHA256Digest, _ nanoseconds: Int) {
        let token = item.token
        guard let lease = leases[token], lease.setUp == item.setUp else { return }
        leases[token] = nil
        guard let job, token.epoch == job.epoch, lease.pass == pass?.pass else { return }
        let result = HeldResult(
            pass: lease.pass, shard: lease.shard, token: token, digest: digest, data: data, nanoseconds: nanoseconds)
        results[token] = result
        resultBytes += data.count
        // In a session that has not announced the pass yet, it is sent when it does.
        if setUpPhase == .ready, session.isPassAnnounced { send(result) }
    }

    mutating func send(_ result: HeldResult) {
        let data = result.data
        for offset in stride(from: 0, to: max(1, data.count), by: limits.chunkSize) {
            let start = data.startIndex + offset
            let chunk = data[start..<min(data.endIndex, start + limits.chunkSize)]
            send(
                offset == 0
                    ? .result(
                        WorkerMessage.ResultMessage(
                            pass: result.pass, shard: result.shard, token: result.token, digest: result.digest,
                            size: data.count, computeNanoseconds: result.nanoseconds, chunk: chunk))
                    : .resultChunk(token: result.token, offset: offset, chunk: chunk))
        }
    }

    mutating func failed(_ item: ItemID, _ failure: ShardFailure) {
        let token = item.token
        guard let lease = leases[token], lease.setUp == item.setUp else { return }
        leases[token] = nil
        guard let job, token.epoch == job.epoch, session.isPassAnnounced, lease.pass == pass?.pass else { return }
        send(.shardFailed(pass: lease.pass, shard: lease.shard, token: token, failure))
    }

    /// What had begun is not among these: its result is still to come.
    mutating func cancelled(_ tokens: [LeaseToken]) {
        let held = tokens.filter { leases.removeValue(forKey: $0) != nil }
        guard !held.isEmpty else { return }
        send(.returned(tokens: held))
    }

    mutating func revoked(_ tokens: [LeaseToken]) {
        let held = tokens.filter { leases[$0] != nil }
        if !held.isEmpty { actions.append(.cancel(held)) }
    }

    mutating func acknowledged(_ tokens: [LeaseToken]) {
        let acknowledged = Set(tokens)
        dropResults { acknowledged.contains($0.token) }
    }

    mutating func dropResults(where condition: (HeldResult) -> Bool) {
        for (token, result) in results where condition(result) {
            results[token] = nil
            resultBytes -= result.data.count
        }
    }
}
