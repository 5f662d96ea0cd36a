import Foundation
import Messaging

/// The exchange at the end of a reduced pass.
extension WorkerState {
    mutating func exchange(_ plan: ExchangePlan, now: Moment) {
        guard session.isPassAnnounced, let pass, pass.pass == plan.pass, pass.isReduced, setUpPhase == .ready,
            plan.roster.contains(where: { $0.peer == peer })
        else {
            loseSession("protocol violation", now: now)
            return
        }
        actions.append(.exchange(plan, own: peer, setUp: setUpNumber))
    }

    mutating func exchanged(_ index: Int, _ attempt: Int, _ digest: Data) {
        guard session.isPassAnnounced, pass?.pass == index else { return }
        send(.reduced(pass: index, attempt: attempt, digest: digest))
    }

    mutating func exchangeFailed(_ index: Int, _ attempt: Int, _ peers: [PeerID], _ reason: String) {
        guard session.isPassAnnounced, pass?.pass == index else { return }
        send(
            .reductionFailed(
                pass: index, attempt: attempt, peers: Array(peers.prefix(16)), reason: String(reason.prefix(256))))
    }

    /// The coordinator counts on nothing that a lost session has computed: in another session, the pass begins anew.
    mutating func forgetReducedPass() {
        let tokens = leases.keys.sorted()
        if !tokens.isEmpty { actions.append(.cancel(tokens)) }
        leases = [:]
        dropResults { _ in true }
        actions.append(.endExchange)
        pass = nil
        session.isPassAnnounced = false
    }
}
