import Foundation
import Messaging

/// The exchange at the end of a reduced pass, as the coordinator sees it.
///
/// What a shard contributes is in its worker's memory. So it is lost with the worker, and computed again by others, until every
/// participant that lives has reported what all contributions have led to.
struct PassReduction {
    /// What all who live have come to.
    enum Conclusion {
        /// All but these, who are a minority.
        case agreed(differing: [PeerID])
        /// There is no majority among these.
        case split([PeerID])
    }

    private struct Attempt {
        let roster: [ExchangePlan.Participant]
        /// Digests of what participants have come to.
        var reports: [PeerID: Data] = [:]
        /// Since when nothing but the exchange is waited for.
        var exchangingSince: Moment?
    }

    private enum Phase {
        /// No attempt runs; since when nothing but set-ups under way is waited for.
        case gathering(waitingSince: Moment?)
        case exchanging(Attempt)
        /// On the digest: the summaries are being merged.
        case agreed(Data)
    }

    private let pass: Int
    private let name: String
    private let limits: ProtocolLimits
    private var phase = Phase.gathering(waitingSince: nil)
    private var attempts = 0
    private var failures = 0

    init(pass: Int, name: String, limits: ProtocolLimits) {
        self.pass = pass
        self.name = name
        self.limits = limits
    }

    /// What all agree on; nil before.
    var digest: Data? { if case .agreed(let digest) = phase { digest } else { nil } }

    private var attempt: Attempt? { if case .exchanging(let attempt) = phase { attempt } else { nil } }

    // MARK: Beginning

    /// Sends the plan of an attempt where none runs, once every shard is in somebody's hands.
    mutating func plan(
        _ ledger: ShardLedger, _ setUps: PassSetUps, now: Moment, _ desk: inout CoordinatorDesk
    ) -> RunningPass.Verdict? {
        guard case .gathering(let waitingSince) = phase, ledger.isHandedOut else { return nil }
        if setUps.areUnderWay {
            let since = waitingSince ?? now
            phase = .gathering(waitingSince: since)
            guard now - since >= limits.reductionPatience else { return nil }
        }
        let participants = desk.roster.peers.filter { setUps.isReady($0) }
        guard participants.count <= WireLimits.participants else {
            return .endPass(ClusterError(.exchangeFailed, pass: name, found: "\(participants.count) workers"))
        }
        if let mute = participants.first(where: { desk.roster.hello(of: $0)?.exchangePort == 0 }) {
            return .endPass(ClusterError(.exchangeFailed, pass: name, worker: mute.worker, found: "no port"))
        }
        var shards: [PeerID: [Int]] = [:]
        for index in ledger.indices {
            guard let peer = Self.owner(of: index, ledger, desk) else { return nil }
            shards[peer, default: []].append(index)
        }
        let roster = participants.map { peer in
            ExchangePlan.Participant(
                peer: peer, endpoint: desk.roster.hello(of: peer).map(Self.endpoint) ?? "", shards: shards[peer] ?? [])
        }
        attempts += 1
        phase = .exchanging(Attempt(roster: roster))
        let plan = ExchangePlan(pass: pass, attempt: attempts, roster: roster)
        for peer in participants { desk.send(.exchange(plan), to: peer) }
        return nil
    }

    /// Who contributes a shard, or is to.
    private static func owner(of index: Int, _ ledger: ShardLedger, _ desk: CoordinatorDesk) -> PeerID? {
        if case .contributed(let contribution) = ledger[index]?.progress { return contribution.peer }
        return desk.leases.holders(of: index).first.flatMap { desk.leases[$0]?.peer }
    }

    /// Where others reach a worker. One that is seen at a loopback address runs beside the coordinator: others reach it where
    /// they reach the coordinator.
    private static func endpoint(_ hello: WorkerMessage.Hello) -> String {
        let address = hello.address.hasPrefix("::ffff:") ? String(hello.address.dropFirst(7)) : hello.address
        if address.isEmpty || address.hasPrefix("127.") || address == "::1" { return "tcp://:\(hello.exchangePort)" }
        return "tcp://\(address.contains(":") ? "[\(address)]" : address):\(hello.exchangePort)"
    }

    // MARK: Going wrong

    /// Whatever has happened: takes back what was lost, and gives up an attempt that lacks it or has taken too long.
    mutating func takeBack(
        from ledger: inout ShardLedger, now: Moment, _ desk: inout CoordinatorDesk
    ) -> RunningPass.Verdict? {
        guard digest == nil else { return nil }
        ledger.takeBack { !desk.roster.contains($0) }
        // Also where a worker has given back what it was to contribute.
        if !ledger.pending.isEmpty || attempt?.roster.allSatisfy({ desk.roster.contains($0.peer) }) == false {
            giveUp()
        }
        guard let late = overdue(isComputed: ledger.isComputed, now: now) else { return nil }
        return fail(attempt: attempts, peers: [], reason: "no end", on: late, &desk)
    }

    /// Nothing of the attempt that runs counts any more, if one does.
    private mutating func giveUp() {
        if case .exchanging = phase { phase = .gathering(waitingSince: nil) }
    }

    /// A peer that reads nothing and says nothing, a connection that swallows what it is given: no exchange takes for ever.
    /// - Parameter isComputed: whether nothing but the exchange is waited for.
    /// - Returns: a participant that has not reported for too long.
    private mutating func overdue(isComputed: Bool, now: Moment) -> PeerID? {
        guard case .exchanging(var attempt) = phase else { return nil }
        defer { phase = .exchanging(attempt) }
        guard isComputed, let late = attempt.roster.first(where: { attempt.reports[$0.peer] == nil })?.peer else {
            attempt.exchangingSince = nil
            return nil
        }
        let since = attempt.exchangingSince ?? now
        attempt.exchangingSince = since
        guard now - since > limits.exchangeTimeout else { return nil }
        attempt.exchangingSince = nil
        return late
    }

    /// An attempt has failed, though all may live: they try again, but not for ever.
    mutating func fail(
        attempt number: Int, peers: [PeerID], reason: String, on peer: PeerID, _ desk: inout CoordinatorDesk
    ) -> RunningPass.Verdict? {
        guard number == attempts, attempt != nil else { return nil }
        desk.log(
            LogLine(
                .warning, "exchange failed",
                [
                    "worker.id": peer.description, "peers": peers.map(\.description).joined(separator: ", "),
                    "reason": reason,
                ]))
        failures += 1
        if failures < limits.exchangeAttempts {
            // All try again, with new connections.
            giveUp()
            return nil
        }
        return .endPass(
            ClusterError(
                .exchangeFailed, pass: name, worker: peer.worker,
                found: reason + peers.map { " (\($0.worker))" }.joined()))
    }

    // MARK: Concluding

    mutating func report(_ digest: Data, attempt number: Int, from peer: PeerID) {
        guard number == attempts, case .exchanging(var attempt) = phase,
            attempt.roster.contains(where: { $0.peer == peer })
        else { return }
        attempt.reports[peer] = digest
        phase = .exchanging(attempt)
    }

    /// Once all participants that live have reported: they must agree.
    mutating func conclude(isThere: (PeerID) -> Bool) -> Conclusion? {
        guard let attempt else { return nil }
        let living = attempt.roster.map(\.peer).filter(isThere)
        guard !living.isEmpty, living.allSatisfy({ attempt.reports[$0] != nil }) else { return nil }
        let holders = Dictionary(grouping: living) { attempt.reports[$0] ?? Data() }
        guard let (digest, majority) = holders.max(by: { $0.value.count < $1.value.count }),
            2 * majority.count > living.count
        else { return .split(living) }
        phase = .agreed(digest)
        return .agreed(differing: living.filter { attempt.reports[$0] != digest })
    }

    // MARK: Invariants

    func invariantViolations(_ ledger: ShardLedger, _ desk: CoordinatorDesk) -> [String] {
        var violations: [String] = []
        if let roster = attempt?.roster {
            if !roster.allSatisfy({ desk.roster.contains($0.peer) }) { violations.append("a participant that is gone") }
            let planned = roster.flatMap(\.shards)
            if planned.sorted() != Array(0..<(ledger.total ?? 0)) { violations.append("a plan of shards \(planned)") }
        }
        if ledger.committed.count > 0, digest == nil { violations.append("committed before all agree") }
        for index in ledger.indices {
            if desk.leases.holders(of: index).count > 1 {
                violations.append("shard \(index) of a reduced pass is held twice")
            }
            switch ledger[index]?.progress {
            case .received: violations.append("shard \(index) has a summary and nobody that contributes it")
            case .contributed(let kept) where digest == nil && !desk.roster.contains(kept.peer):
                violations.append("shard \(index) counts on a worker that is gone")
            default: break
            }
        }
        return violations
    }
}
