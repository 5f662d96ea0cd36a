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

    private let limits: ProtocolLimits
    private var phase = Phase.gathering(waitingSince: nil)
    private var attempts = 0
    private var failures = 0

    init(limits: ProtocolLimits) {
        self.limits = limits
    }

    /// What all agree on; nil before.
    var digest: Data? { if case .agreed(let digest) = phase { digest } else { nil } }

    var isGathering: Bool { if case .gathering = phase { true } else { false } }

    private var attempt: Attempt? { if case .exchanging(let attempt) = phase { attempt } else { nil } }

    // MARK: Attempts

    /// Whether workers that are setting the pass up were waited for long enough.
    mutating func hasWaited(now: Moment) -> Bool {
        guard case .gathering(let waitingSince) = phase else { return false }
        let since = waitingSince ?? now
        phase = .gathering(waitingSince: since)
        return now - since >= limits.reductionPatience
    }

    mutating func begin(_ roster: [ExchangePlan.Participant], ofPass pass: Int) -> ExchangePlan {
        attempts += 1
        phase = .exchanging(Attempt(roster: roster))
        return ExchangePlan(pass: pass, attempt: attempts, roster: roster)
    }

    /// Nothing of the attempt that runs counts any more, if one does.
    private mutating func giveUp() {
        if case .exchanging = phase { phase = .gathering(waitingSince: nil) }
    }

    /// An attempt goes on as long as all participants live and nothing that they contribute was taken back.
    mutating func giveUpUnless(_ isWhole: Bool, isThere: (PeerID) -> Bool) {
        if !isWhole || attempt?.roster.allSatisfy({ isThere($0.peer) }) == false { giveUp() }
    }

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

    /// A peer that reads nothing and says nothing, a connection that swallows what it is given: no exchange takes for ever.
    /// - Parameter isComputed: whether nothing but the exchange is waited for.
    /// - Returns: the attempt that has taken too long, and a participant that has not reported.
    mutating func overdue(isComputed: Bool, now: Moment) -> (attempt: Int, late: PeerID)? {
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
        return (attempts, late)
    }

    func isRunning(attempt number: Int) -> Bool { attempts == number && attempt != nil }

    /// The attempt that runs has failed.
    /// - Returns: whether all are to try again, with new connections.
    mutating func fail() -> Bool {
        failures += 1
        guard failures < limits.exchangeAttempts else { return false }
        giveUp()
        return true
    }

    // MARK: Invariants

    /// - Parameter total: shards of the pass, where it is known.
    func invariantViolations(total: Int?, isThere: (PeerID) -> Bool) -> [String] {
        guard let roster = attempt?.roster else { return [] }
        var violations: [String] = []
        if !roster.allSatisfy({ isThere($0.peer) }) { violations.append("a participant that is gone") }
        let planned = roster.flatMap(\.shards)
        if planned.sorted() != Array(0..<(total ?? 0)) { violations.append("a plan of shards \(planned)") }
        return violations
    }
}
