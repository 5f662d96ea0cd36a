import Messaging

/// What the coordinator works with while it handles an event, whatever the event is about: who is there, who holds which
/// leases, and what is to be done.
struct CoordinatorDesk {
    var roster: Roster
    var leases: LeaseBook
    private var actions: [CoordinatorState.Action] = []

    init(epoch: UInt32, limits: ProtocolLimits) {
        roster = Roster(limits: limits)
        leases = LeaseBook(epoch: epoch, limits: limits)
    }

    mutating func act(_ action: CoordinatorState.Action) { actions.append(action) }

    mutating func log(_ event: LogLine) { actions.append(.log(event)) }

    /// Sends on the control connection, counted; not at all where there is no session.
    mutating func send(_ message: CoordinatorMessage, to peer: PeerID) {
        guard let envelope = roster.next(message, to: peer) else { return }
        actions.append(.send(RoutingID(peer: peer, channel: .control), envelope))
    }

    /// Sends outside of any session.
    mutating func sendUncounted(_ message: CoordinatorMessage, to target: RoutingID) {
        actions.append(.send(target, Envelope(sequence: 0, message: message)))
    }

    /// Sends tokens in as many messages as they need.
    mutating func send(_ tokens: [LeaseToken], to peer: PeerID, as message: ([LeaseToken]) -> CoordinatorMessage) {
        for start in stride(from: 0, to: tokens.count, by: WireLimits.tokensPerMessage) {
            let part = tokens[start..<min(tokens.count, start + WireLimits.tokensPerMessage)]
            send(message(Array(part)), to: peer)
        }
    }

    /// Tells a worker why it cannot take part.
    mutating func refuse(_ refusal: Refusal, _ source: RoutingID) {
        sendUncounted(.refused(refusal), to: source)
        log(
            LogLine(
                .warning, "worker refused",
                [
                    "worker.id": source.peer.description, "refusal.code": refusal.code.rawValue,
                    "refusal.expected": refusal.expected, "refusal.found": refusal.found,
                ], isRepeatable: true))
    }

    /// Where a worker computes, for people.
    func machine(of peer: PeerID) -> String {
        guard let hello = roster.hello(of: peer) else { return peer.worker }
        return hello.compute.machine.isEmpty ? hello.host : "\(hello.host) (\(hello.compute.machine))"
    }

    /// Answers bytes that are no message of this version.
    /// - Returns: the worker in whose session a message is missing now, if there is one.
    mutating func refuse(_ error: WireError, from source: RoutingID?) -> PeerID? {
        var metadata = ["error.code": error.code.rawValue]
        if let expected = error.expected { metadata["error.expected"] = expected }
        if let found = error.found { metadata["error.found"] = found }
        guard let source else {
            log(LogLine(.warning, "stranger refused", metadata, isRepeatable: true))
            return nil
        }
        if error.code == .protocolVersion {
            let version = "\(WireLimits.protocolVersion)"
            refuse(Refusal(.protocolVersion, expected: version, found: error.found ?? ""), source)
            return nil
        }
        metadata["worker.id"] = source.peer.description
        log(LogLine(.warning, "message refused", metadata, isRepeatable: true))
        if roster.contains(source.peer) { return source.peer }
        sendUncounted(.rejoin, to: source)
        return nil
    }

    /// All that was to be done since the last call.
    mutating func takeActions() -> [CoordinatorState.Action] {
        defer { actions = [] }
        return actions
    }

    /// The worker with credit and the fewest leases a lane that does not hold the shard already: a hung lane must not be given
    /// again what it hangs on.
    func leastLoaded(without shard: Int) -> PeerID? {
        var best: (peer: PeerID, load: Double)?
        for peer in roster.peers {
            guard leases.credits(of: peer) > 0, !leases.holds(peer, shard: shard), let hello = roster.hello(of: peer)
            else { continue }
            let load = Double(leases.leaseCount(of: peer)) / Double(hello.lanes)
            if best.map({ load < $0.load }) ?? true { best = (peer, load) }
        }
        return best?.peer
    }

    func invariantViolations() -> [String] {
        var violations = roster.invariantViolations() + leases.invariantViolations()
        if leases.peers != Set(roster.peers) { violations.append("workers and their accounts differ") }
        return violations
    }
}
