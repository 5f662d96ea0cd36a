import Messaging

/// How far each worker is with setting the pass that runs up.
struct PassSetUps {
    private enum Stage {
        case underWay(since: Moment)
        case ready
        /// The worker lacks the state that the pass needs.
        case lackingState
    }

    private var stages: [PeerID: Stage] = [:]

    mutating func begin(_ peer: PeerID, now: Moment) { stages[peer] = .underWay(since: now) }

    /// A worker that fetches is not stuck, however long its model takes over a slow link.
    mutating func goOn(_ peer: PeerID, now: Moment) {
        if case .underWay = stages[peer] { stages[peer] = .underWay(since: now) }
    }

    mutating func finish(_ peer: PeerID) {
        if case .underWay = stages[peer] { stages[peer] = .ready }
    }

    mutating func lacksState(_ peer: PeerID) { stages[peer] = .lackingState }

    mutating func leave(_ peer: PeerID) { stages[peer] = nil }

    func isReady(_ peer: PeerID) -> Bool { if case .ready = stages[peer] { true } else { false } }

    func isLackingState(_ peer: PeerID) -> Bool { if case .lackingState = stages[peer] { true } else { false } }

    /// Whether any worker is still to become ready.
    var areUnderWay: Bool { stages.values.contains { if case .underWay = $0 { true } else { false } } }

    func isOverdue(_ peer: PeerID, limits: ProtocolLimits, now: Moment) -> Bool {
        guard case .underWay(let since) = stages[peer] else { return false }
        return now - since > limits.setUpTimeout
    }

    func invariantViolations(isThere: (PeerID) -> Bool) -> [String] {
        stages.keys.allSatisfy(isThere) ? [] : ["the set-up of a worker that is gone"]
    }
}
