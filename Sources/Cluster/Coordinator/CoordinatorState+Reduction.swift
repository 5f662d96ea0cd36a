import Foundation
import Messaging
import Support

/// The exchange at the end of a reduced pass, as the coordinator sees it.
struct ReductionRecord {
    /// 0 before the first.
    var attempt = 0
    /// Of the attempt that runs; empty where none does.
    var roster: [ExchangePlan.Participant] = []
    /// Digests of what participants of the attempt have come to.
    var reports: [PeerID: Data] = [:]
    /// Since when nothing but the exchange is waited for.
    var exchangingSince: Moment?
    /// Since when nothing but set-ups under way is waited for.
    var waitingSince: Moment?
    var failures = 0
    /// All participants agree: the summaries are being merged.
    var digest: Data?
}

// In a reduced pass what a shard contributes is in its worker's memory. So it is lost with the worker, and computed again by
// others, until every participant that lives has reported what all contributions have led to.
extension CoordinatorState {
    /// Keeps a shard's summary until the pass ends.
    mutating func keep(
        _ message: WorkerMessage.ResultMessage, _ data: Data, from peer: PeerID, now: Moment
    ) {
        guard let lease = pass?.leases[message.token], lease.peer == peer else { return }
        // A summary is small, and what its shard contributes is lost with its worker later on.
        guard SHA256Digest(of: data) == message.digest else {
            log(LogEvent(.error, "damaged result", ["shard": "\(message.shard)", "worker.id": peer.description]))
            drop(peer, .expelled, now: now)
            return
        }
        pass?.durations.insert(now - lease.granted)
        pass?.shards[message.shard]?.received = message.digest
        pass?.shards[message.shard]?.receivedFrom = peer.worker
        pass?.shards[message.shard]?.contributor = peer
        pass?.shards[message.shard]?.summary = data
        release(message.token, isLoss: false, now: now)
        send(.ack(tokens: [message.token]), to: peer)
        // Workers agree already; only this summary was missing.
        if pass?.reduction?.digest != nil { mergeSummary(of: message.shard, now: now) }
    }

    /// Whatever has happened: takes back what was lost, begins an attempt where one is due, and ends the pass with it.
    mutating func advanceReduction(now: Moment) {
        guard let pass, let reduction = pass.reduction, reduction.digest == nil else { return }
        let living = reduction.roster.filter { records[$0.peer] != nil }
        // A lane may tell of its shard after the exchange has made use of it.
        if !living.isEmpty, living.allSatisfy({ reduction.reports[$0.peer] != nil }),
            pass.shards.allSatisfy({ $0.value.received != nil })
        {
            conclude(living.map(\.peer), now: now)
            return
        }
        // From the last, so that they come to the front in their order.
        let lost = pass.shards.filter { $0.value.contributor.map { records[$0] == nil } ?? false }.keys
        for shard in lost.sorted(by: >) {
            self.pass?.shards[shard]?.received = nil
            self.pass?.shards[shard]?.contributor = nil
            self.pass?.shards[shard]?.summary = Data()
            self.pass?.putBack(shard)
        }
        // Also where a worker has given back what it was to contribute.
        if living.count < reduction.roster.count || self.pass?.pendingCount != 0 { self.pass?.reduction?.roster = [] }
        checkDeadline(now: now)
    }

    /// A peer that reads nothing and says nothing, a connection that swallows what it is given: no exchange takes for ever.
    private mutating func checkDeadline(now: Moment) {
        guard let pass, let reduction = pass.reduction,
            let late = reduction.roster.first(where: { peer in
                reduction.reports[peer.peer] == nil
            })?.peer, pass.shards.values.allSatisfy({ $0.received != nil })
        else {
            self.pass?.reduction?.exchangingSince = nil
            return
        }
        let since = reduction.exchangingSince ?? now
        self.pass?.reduction?.exchangingSince = since
        guard now - since > limits.exchangeTimeout else { return }
        self.pass?.reduction?.exchangingSince = nil
        reductionFailed(pass.index, attempt: reduction.attempt, peers: [], reason: "no end", on: late)
    }

    /// Sends the plan of an attempt once every shard is in somebody's hands.
    mutating func planReduction(now: Moment) {
        guard let pass, let reduction = pass.reduction, reduction.digest == nil, reduction.roster.isEmpty,
            let total = pass.totalShards, total > 0, pass.shards.count == total,
            pass.pendingCount == 0
        else { return }
        let isSettingUp = workers.contains { records[$0]?.setUpSince != nil }
        if isSettingUp {
            let since = reduction.waitingSince ?? now
            self.pass?.reduction?.waitingSince = since
            guard now - since >= limits.reductionPatience else { return }
        }
        let participants = workers.filter { records[$0]?.setUpSince == nil && !pass.lacking.contains($0) }
        guard participants.count <= WireLimits.participants else {
            end(ClusterError(.exchangeFailed, pass: pass.name, found: "\(participants.count) workers"))
            return
        }
        if let mute = participants.first(where: { records[$0]?.hello.exchangePort == 0 }) {
            end(ClusterError(.exchangeFailed, pass: pass.name, worker: mute.worker, found: "no port"))
            return
        }
        var shards: [PeerID: [Int]] = [:]
        for (index, shard) in pass.shards.sorted(by: { $0.key < $1.key }) {
            guard let peer = shard.contributor ?? shard.holders.first.flatMap({ pass.leases[$0]?.peer }) else { return }
            shards[peer, default: []].append(index)
        }
        let roster = participants.map { peer in
            ExchangePlan.Participant(
                peer: peer, endpoint: records[peer].map { Self.endpoint($0.hello) } ?? "", shards: shards[peer] ?? [])
        }
        let plan = ExchangePlan(pass: pass.index, attempt: reduction.attempt + 1, roster: roster)
        self.pass?.reduction?.attempt = plan.attempt
        self.pass?.reduction?.roster = roster
        self.pass?.reduction?.reports = [:]
        self.pass?.reduction?.waitingSince = nil
        for peer in participants { send(.exchange(plan), to: peer) }
    }

    /// Where others reach a worker. One that is seen at a loopback address runs beside the coordinator: others reach it where
    /// they reach the coordinator.
    private static func endpoint(_ hello: WorkerMessage.Hello) -> String {
        let address = hello.address.hasPrefix("::ffff:") ? String(hello.address.dropFirst(7)) : hello.address
        if address.isEmpty || address.hasPrefix("127.") || address == "::1" { return "tcp://:\(hello.exchangePort)" }
        return "tcp://\(address.contains(":") ? "[\(address)]" : address):\(hello.exchangePort)"
    }

    mutating func reduced(_ index: Int, attempt: Int, digest: Data, on peer: PeerID) {
        guard pass?.index == index, pass?.reduction?.attempt == attempt,
            pass?.reduction?.roster.contains(where: { $0.peer == peer }) ?? false
        else { return }
        pass?.reduction?.reports[peer] = digest
    }

    mutating func reductionFailed(_ index: Int, attempt: Int, peers: [PeerID], reason: String, on peer: PeerID) {
        guard let pass, pass.index == index, let reduction = pass.reduction, reduction.attempt == attempt,
            reduction.digest == nil, !reduction.roster.isEmpty
        else { return }
        log(
            LogEvent(
                .warning, "exchange failed",
                [
                    "worker.id": peer.description, "peers": peers.map(\.description).joined(separator: ", "),
                    "reason": reason,
                ]))
        self.pass?.reduction?.failures += 1
        if reduction.failures + 1 >= limits.exchangeAttempts {
            end(
                ClusterError(
                    .exchangeFailed, pass: pass.name, worker: peer.worker,
                    found: reason + peers.map { " (\($0.worker))" }.joined()))
        } else {
            // All try again, with new connections.
            self.pass?.reduction?.roster = []
        }
    }

    /// All have reported: they must agree.
    private mutating func conclude(_ peers: [PeerID], now: Moment) {
        guard let reports = pass?.reduction?.reports else { return }
        var holders: [Data: [PeerID]] = [:]
        for peer in peers { holders[reports[peer] ?? Data(), default: []].append(peer) }
        guard let (digest, majority) = holders.max(by: { $0.value.count < $1.value.count }),
            2 * majority.count > peers.count
        else {
            log(
                LogEvent(
                    .critical, "workers differ after a step",
                    ["pass.name": pass?.name ?? "", "workers": peers.map(\.description).joined(separator: ", ")]))
            end(ClusterError(.replicasDiffer, pass: pass?.name, worker: peers.map(\.worker).joined(separator: ", ")))
            return
        }
        pass?.reduction?.digest = digest
        for peer in peers where reports[peer] != digest {
            log(
                LogEvent(
                    .critical, "worker differs from the others after a step",
                    [
                        "pass.name": pass?.name ?? "", "worker.id": peer.description,
                        "worker.host": records[peer]?.hello.host ?? "",
                    ]))
            drop(peer, .expelled, now: now)
        }
        for index in pass?.shards.keys.sorted() ?? [] { mergeSummary(of: index, now: now) }
    }

    private mutating func mergeSummary(of index: Int, now: Moment) {
        guard let pass, let shard = pass.shards[index], let received = shard.received else { return }
        self.pass?.uncommitted += 1
        self.pass?.uncommittedBytes += shard.shard.payload.count
        actions.append(
            .merge(
                ReceivedResult(
                    pass: pass.index, shard: index, sampleCount: shard.shard.sampleCount, digest: received,
                    result: shard.summary, worker: shard.receivedFrom,
                    elapsed: pass.firstLease.map { now - $0 } ?? .zero)))
    }

    /// Where nobody holds the state that the pass needs, there is nothing to wait for.
    mutating func endIfStateIsLost() {
        guard let pass, pass.pendingCount > 0, !workers.isEmpty, workers.allSatisfy({ pass.lacking.contains($0) })
        else { return }
        end(ClusterError(.stateLost, pass: pass.name))
    }

    /// Ends the pass with an error that another pass may follow.
    mutating func end(_ error: ClusterError) {
        guard let pass else { return }
        log(LogEvent(.warning, "pass ended", ["pass.name": pass.name, "error.code": error.code.rawValue]))
        dismissPass()
        actions.append(.passEnded(error))
    }
}
