import Foundation
import Messaging
import Support

/// The pass that runs, as the coordinator sees it: who gets which shard, what becomes of results and failures, and how it ends.
struct RunningPass {
    /// What an event calls for beyond the pass.
    enum Verdict {
        case drop(PeerID, DropReason)
        case refuse(PeerID, Refusal)
        case failJob(ClusterError)
        /// Without a result; another pass may follow.
        case endPass(ClusterError)
    }

    let index: Int
    let name: String
    let descriptor: ArtifactReference
    let artifacts: [ArtifactReference]
    let isJournaled: Bool
    private let limits: ProtocolLimits
    private var ledger: ShardLedger
    private var setUps = PassSetUps()
    /// Of a reduced pass.
    private var reduction: PassReduction?
    private var failedAttempts = 0
    private var probe: Probe?

    init(
        _ start: CoordinatorState.PassStart, descriptor: ArtifactReference, artifacts: [ArtifactReference],
        limits: ProtocolLimits
    ) {
        index = start.pass
        name = start.name
        self.descriptor = descriptor
        self.artifacts = artifacts
        isJournaled = start.isJournaled
        probe = start.probe
        self.limits = limits
        ledger = ShardLedger(committed: start.committed, limits: limits)
        reduction = start.isReduced ? PassReduction(pass: start.pass, name: start.name, limits: limits) : nil
    }

    var committed: CommittedShards { ledger.committed }

    var totalShards: Int? { ledger.total }

    /// Shards whose payloads are kept.
    var heldShards: Int { ledger.count }

    // MARK: Set-up

    mutating func announce(to peer: PeerID, now: Moment, _ desk: inout CoordinatorDesk) {
        desk.leases.renew(peer)
        setUps.begin(peer, now: now)
        desk.send(
            .passBegin(
                CoordinatorMessage.PassBegin(
                    pass: index, name: name, descriptor: descriptor, artifacts: artifacts,
                    isReduced: reduction != nil)),
            to: peer)
    }

    /// The worker is ready, unless its machine computes other bits than those that take part.
    /// - Parameter answer: digest of what the pass's probe gave there.
    mutating func setUpDone(on peer: PeerID, probe answer: SHA256Digest?, _ desk: inout CoordinatorDesk) -> Verdict? {
        if let probe {
            let machine = desk.machine(of: peer)
            guard let answer else {
                return .refuse(peer, Refusal(.probe, expected: "the digest of a probe", found: "none on \(machine)"))
            }
            let own = ProbeAnswer(subject: probe.subject, digest: answer, machine: machine)
            if let known = probe.answer {
                guard known.digest == answer else {
                    return .refuse(peer, Refusal(.probe, expected: known.description, found: own.description))
                }
            } else {
                self.probe?.answer = own
                desk.act(.keepProbe(own))
            }
        }
        setUps.finish(peer)
        return nil
    }

    mutating func setUpFailed(
        _ failure: ShardFailure, on peer: PeerID, _ desk: inout CoordinatorDesk
    ) -> Verdict? {
        if failure.code == ShardFailure.stateMissing {
            setUps.lacksState(peer)
            return nil
        }
        setUps.finish(peer)
        desk.log(
            LogLine(
                .error, "pass set-up failed",
                ["worker.id": peer.description, "pass.name": name, "failure.code": failure.code]
                    .merging(failure.logFields) { first, _ in first }))
        return failure.permanent
            ? .failJob(ClusterError(.passFailed, pass: name, worker: peer.worker, failure: failure))
            : .drop(peer, .expelled)
    }

    mutating func setUpGoesOn(on peer: PeerID, now: Moment) { setUps.goOn(peer, now: now) }

    func isSetUpOverdue(_ peer: PeerID, now: Moment) -> Bool {
        setUps.isOverdue(peer, limits: limits, now: now)
    }

    // MARK: Reading

    mutating func add(_ shard: Shard) { ledger.add(shard) }

    mutating func sourceEnded(shards: Int) { ledger.end(at: shards) }

    /// Asks the source for what the workers have credits for and a little more.
    mutating func read(_ desk: inout CoordinatorDesk) {
        let count = ledger.reads(forCredits: desk.leases.credits)
        if count > 0 { desk.act(.readShards(count)) }
    }

    // MARK: Leasing

    /// Gives shards to the workers that have asked for them, the least loaded first.
    mutating func lease(now: Moment, _ desk: inout CoordinatorDesk) {
        guard !ledger.isCommitBehind else { return }
        var position = 0
        while desk.leases.hasCredits,
            let (shard, peer) = ledger.next(from: &position, taker: { desk.leastLoaded(without: $0) })
        {
            grant(shard, to: peer, now: now, &desk)
        }
        repeatStragglers(now: now, &desk)
    }

    /// At the end of a pass, workers without anything to do repeat what takes others too long: once each, oldest first.
    private func repeatStragglers(now: Moment, _ desk: inout CoordinatorDesk) {
        // What is computed twice in a reduced pass would count twice.
        guard reduction == nil, ledger.total != nil, ledger.pending.isEmpty else { return }
        for peer in desk.roster.peers where desk.leases.credits(of: peer) > 0 && desk.leases.leaseCount(of: peer) == 0 {
            guard let index = desk.leases.straggler(now: now), let shard = ledger[index]?.shard else { return }
            desk.log(LogLine(.debug, "straggler repeated", ["shard": "\(index)", "worker.id": peer.description]))
            grant(shard, to: peer, now: now, &desk)
        }
    }

    private func grant(_ shard: Shard, to peer: PeerID, now: Moment, _ desk: inout CoordinatorDesk) {
        let token = desk.leases.grant(shard.index, to: peer, now: now)
        let payload = shard.payload
        for offset in stride(from: 0, to: max(1, payload.count), by: limits.chunkSize) {
            let start = payload.startIndex + offset
            let chunk = payload[start..<min(payload.endIndex, start + limits.chunkSize)]
            desk.send(
                offset == 0
                    ? .lease(
                        CoordinatorMessage.LeaseMessage(
                            pass: index, shard: shard.index, token: token, sampleCount: shard.sampleCount,
                            size: payload.count, chunk: chunk))
                    : .leaseChunk(token: token, offset: offset, chunk: chunk), to: peer)
        }
    }

    /// A lease was answered: its shard waits again unless another holds it or it has a result.
    private mutating func release(_ token: LeaseToken, _ desk: inout CoordinatorDesk) {
        guard let lease = desk.leases.remove(token) else { return }
        putBack(lease, desk)
    }

    private mutating func putBack(_ lease: LeaseBook.Lease, _ desk: CoordinatorDesk) {
        guard !lease.isOver, !desk.leases.isHeld(lease.shard), ledger[lease.shard]?.progress.isOpen == true else {
            return
        }
        ledger.putBack(lease.shard)
    }

    mutating func takeBack(_ tokens: [LeaseToken], from peer: PeerID, _ desk: inout CoordinatorDesk) {
        for token in tokens.reversed() where desk.leases[token]?.peer == peer { release(token, &desk) }
    }

    /// A worker is gone, and these are the leases that it held.
    /// - Returns: that the job fails, where a shard was held by too many that were lost.
    mutating func lose(_ peer: PeerID, leases: [LeaseBook.Lease], isLoss: Bool, _ desk: CoordinatorDesk)
        -> ClusterError?
    {
        setUps.leave(peer)
        for lease in leases {
            if isLoss, !lease.isOver, ledger.lose(lease.shard) {
                return ClusterError(.shardLost, pass: name, shard: lease.shard, worker: lease.peer.worker)
            }
            putBack(lease, desk)
        }
        return nil
    }

    /// Looks at a lease's age.
    mutating func expire(_ token: LeaseToken, now: Moment, _ desk: inout CoordinatorDesk) -> Verdict? {
        guard let lease = desk.leases[token] else { return nil }
        if desk.leases.isHopeless(lease, now: now) { return .drop(lease.peer, .hung) }
        if reduction != nil {
            // It may have contributed a part of the shard already, so nobody else is given the shard as long as it lives.
            return desk.leases.isHolding(lease, now: now) ? .drop(lease.peer, .hung) : nil
        }
        guard desk.leases.isExpired(lease, now: now) else { return nil }
        if desk.leases.hangs(lease.peer, since: lease, now: now) { return .drop(lease.peer, .hung) }
        desk.log(
            LogLine(.warning, "lease expired", ["shard": "\(lease.shard)", "worker.id": lease.peer.description]))
        end(token, &desk)
        putBack(lease, desk)
        return nil
    }

    /// The worker will not answer in time, or need not: the shard counts on it no longer.
    private func end(_ token: LeaseToken, _ desk: inout CoordinatorDesk) {
        guard let peer = desk.leases.end(token) else { return }
        desk.send(.revoke(tokens: [token]), to: peer)
    }

    // MARK: Results

    mutating func accept(
        _ message: WorkerMessage.ResultMessage, _ data: Data, from peer: PeerID, now: Moment,
        _ desk: inout CoordinatorDesk
    ) -> Verdict? {
        let token = message.token
        let lease = desk.leases[token]
        guard lease == nil || (lease?.peer.worker == peer.worker && lease?.shard == message.shard) else {
            return .drop(peer, .violation)
        }
        if let matches = ledger.committed.matches(message.shard, digest: message.digest) {
            release(token, &desk)
            guard matches else { return differ(message, from: peer, other: "committed", &desk) }
            desk.send(.ack(tokens: [token]), to: peer)
            return nil
        }
        guard let entry = ledger[message.shard] else {
            // Not read yet in this life, or no such shard at all; a lease that we gave has a shard that we read.
            return .drop(peer, .violation)
        }
        if reduction != nil { return keep(message, data, from: peer, now: now, &desk) }
        if case .received(let received) = entry.progress {
            release(token, &desk)
            guard received.digest == message.digest else {
                return differ(message, from: peer, other: received.worker, &desk)
            }
            ledger.receiveAgain(message.shard, from: peer, token)
            return nil
        }
        if let lease { desk.leases.took(now - lease.granted) }
        ledger.receive(
            message.shard, message.digest, from: peer, token, isHeld: desk.leases.isHeld(message.shard))
        release(token, &desk)
        for other in desk.leases.holders(of: message.shard) { end(other, &desk) }
        merge(entry.shard, message.digest, data, worker: peer.worker, now: now, &desk)
        return nil
    }

    private func merge(
        _ shard: Shard, _ digest: SHA256Digest, _ result: Data, worker: String, now: Moment,
        _ desk: inout CoordinatorDesk
    ) {
        desk.act(
            .merge(
                CoordinatorState.ReceivedResult(
                    pass: index, shard: shard.index, sampleCount: shard.sampleCount, payload: shard.payload,
                    digest: digest, result: result,
                    worker: worker, elapsed: desk.leases.firstGrant.map { now - $0 } ?? .zero)))
    }

    /// Two results of one shard that are not the same bytes: nothing that was computed can be trusted any more.
    private func differ(
        _ message: WorkerMessage.ResultMessage, from peer: PeerID, other: String, _ desk: inout CoordinatorDesk
    ) -> Verdict {
        desk.log(
            LogLine(
                .critical, "results of one shard differ",
                ["shard": "\(message.shard)", "worker.id": peer.description, "worker.other": other]))
        desk.roster.expel(peer.worker)
        return .failJob(
            ClusterError(
                .resultsDiffer, pass: name, shard: message.shard, worker: peer.worker, expected: other,
                found: message.digest.description))
    }

    /// A result cannot be merged: the shard is computed again.
    /// - Returns: the worker it came from, which is not trusted any more.
    mutating func reject(_ index: Int, _ reason: String, _ desk: inout CoordinatorDesk) -> String? {
        guard let worker = ledger.reject(index, isHeld: desk.leases.isHeld(index)) else { return nil }
        desk.log(LogLine(.error, "unusable result", ["shard": "\(index)", "worker.id": worker, "reason": reason]))
        return worker
    }

    mutating func shardFailed(
        _ shard: Int, _ token: LeaseToken, _ failure: ShardFailure, on peer: PeerID, _ desk: inout CoordinatorDesk
    ) -> Verdict? {
        guard let lease = desk.leases[token], lease.peer == peer, lease.shard == shard else { return nil }
        desk.leases.moves(peer)
        desk.log(
            LogLine(
                .warning, "shard failed",
                ["shard": "\(shard)", "worker.id": peer.description, "failure.code": failure.code]
                    .merging(failure.logFields) { first, _ in first }))
        failedAttempts += 1
        if ledger.fail(shard, permanently: failure.permanent) {
            return .failJob(
                ClusterError(.shardFailed, pass: name, shard: shard, worker: peer.worker, failure: failure))
        }
        // It may have contributed a part of the shard already.
        if reduction != nil { return .drop(peer, .failedShard) }
        release(token, &desk)
        return nil
    }

    mutating func commit(_ shards: [Int], _ desk: inout CoordinatorDesk) {
        let acknowledgements = Dictionary(grouping: ledger.commit(shards), by: \.peer)
        for peer in desk.roster.peers {
            desk.send(acknowledgements[peer, default: []].map(\.token), to: peer) { .ack(tokens: $0) }
        }
    }

    /// What has come of the pass, once all is committed.
    mutating func completion(now: Moment, _ desk: inout CoordinatorDesk) -> CoordinatorState.PassCompletion? {
        if ledger.mustFlush() { desk.act(.flush) }
        guard ledger.isDone, let total = ledger.total else { return nil }
        return CoordinatorState.PassCompletion(
            samples: ledger.committed.samples, shards: total,
            seconds: desk.leases.firstGrant.map { (now - $0).seconds } ?? 0, failedAttempts: failedAttempts,
            digest: reduction?.digest, workersLackingState: desk.roster.peers.count { setUps.isLackingState($0) })
    }

    // MARK: Reduction

    /// Keeps a shard's summary until the pass ends.
    private mutating func keep(
        _ message: WorkerMessage.ResultMessage, _ data: Data, from peer: PeerID, now: Moment,
        _ desk: inout CoordinatorDesk
    ) -> Verdict? {
        guard let lease = desk.leases[message.token], lease.peer == peer else { return nil }
        // A summary is small, and what its shard contributes is lost with its worker later on.
        guard SHA256Digest(of: data) == message.digest else {
            desk.log(LogLine(.error, "damaged result", ["shard": "\(message.shard)", "worker.id": peer.description]))
            return .drop(peer, .expelled)
        }
        desk.leases.took(now - lease.granted)
        ledger.contribute(message.shard, .init(digest: message.digest, peer: peer, summary: data))
        release(message.token, &desk)
        desk.send(.ack(tokens: [message.token]), to: peer)
        // Workers agree already; only this summary was missing.
        if reduction?.digest != nil { mergeSummary(of: message.shard, now: now, &desk) }
        return nil
    }

    private mutating func mergeSummary(of index: Int, now: Moment, _ desk: inout CoordinatorDesk) {
        guard let shard = ledger[index]?.shard, let kept = ledger.handOver(index) else { return }
        merge(shard, kept.digest, kept.summary, worker: kept.peer.worker, now: now, &desk)
    }

    /// Workers agree: what they have computed counts.
    mutating func mergeSummaries(now: Moment, _ desk: inout CoordinatorDesk) {
        for index in ledger.indices { mergeSummary(of: index, now: now, &desk) }
    }

    /// What all participants have come to, once nothing is missing.
    mutating func conclusion(_ desk: CoordinatorDesk) -> PassReduction.Conclusion? {
        ledger.isComputed ? reduction?.conclude { desk.roster.contains($0) } : nil
    }

    /// Whatever has happened: takes back what was lost, and gives up an attempt that lacks it or has taken too long.
    mutating func takeBackContributions(now: Moment, _ desk: inout CoordinatorDesk) -> Verdict? {
        reduction?.takeBack(from: &ledger, now: now, &desk)
    }

    /// Sends the plan of an attempt once every shard is in somebody's hands.
    mutating func planReduction(now: Moment, _ desk: inout CoordinatorDesk) -> Verdict? {
        reduction?.plan(ledger, setUps, now: now, &desk)
    }

    mutating func reduced(attempt: Int, digest: Data, on peer: PeerID) {
        reduction?.report(digest, attempt: attempt, from: peer)
    }

    mutating func exchangeFailed(
        attempt: Int, peers: [PeerID], reason: String, on peer: PeerID, _ desk: inout CoordinatorDesk
    ) -> Verdict? {
        reduction?.fail(attempt: attempt, peers: peers, reason: reason, on: peer, &desk)
    }

    /// Whether nobody holds the state that the pass needs: there is nothing to wait for.
    func isStateLost(_ desk: CoordinatorDesk) -> Bool {
        !ledger.pending.isEmpty && !desk.roster.isEmpty && desk.roster.peers.allSatisfy { setUps.isLackingState($0) }
    }

    // MARK: Invariants

    func invariantViolations(_ desk: CoordinatorDesk) -> [String] {
        ledger.invariantViolations(
            holders: { desk.leases.holders(of: $0).count }, countsContributions: reduction?.digest != nil)
            + setUps.invariantViolations { desk.roster.contains($0) }
            + (reduction?.invariantViolations(ledger, desk) ?? [])
    }
}
