import ClusterProtocol
import Foundation
import Messaging

/// Drives `ExchangeState` with sockets and a clock. All of it lives on one thread.
final class ExchangeLoop {
    /// From other threads.
    enum Input: Sendable {
        case start(ExchangePlan, own: PeerID, any PartReduction)
        /// Lanes have added to parts.
        case progressed
        case stop
        case close
    }

    /// An attempt under way.
    private struct Attempt {
        let plan: ExchangePlan
        let own: PeerID
        let shards: Set<Int>
        let reduction: any PartReduction
        var state: ExchangeState
        /// Not announced to yet: their connections do not stand.
        var unannounced: Set<PeerID>
        /// Parts that are not complete here.
        var incomplete: [Int]
        /// Reduced parts and to how many they are still to be sent.
        var reduced: [Int: (data: Data, receivers: Int)] = [:]
        let began: Moment
        var isReported = false
    }

    private let configuration: Exchange.Configuration
    private let inbox: Inbox<Input>
    private let report: @Sendable (ExchangeOutcome) -> Void
    private let context: ZeroMQContext
    private let router: ZeroMQSocket
    private var links: [PeerLink] = []
    private var attempt: Attempt?
    private var isClosed = false
    let port: Int

    init(
        _ configuration: Exchange.Configuration, inbox: Inbox<Input>,
        report: @escaping @Sendable (ExchangeOutcome) -> Void
    ) throws {
        self.configuration = configuration
        self.inbox = inbox
        self.report = report
        context = try ZeroMQContext()
        router = try ZeroMQSocket(.router, in: context, options: PeerLink.options())
        try router.bind("tcp://*:\(configuration.port == 0 ? "*" : String(configuration.port))")
        port = Int(try router.lastEndpoint().split(separator: ":").last ?? "") ?? 0
    }

    func run() {
        while !isClosed {
            do {
                try turn()
            } catch {
                // Sockets of one's own that cannot be used: whoever waits for the attempt is told, and the next begins with
                // new ones.
                fail([], "\(error)")
                attempt = nil
                links = []
                Thread.sleep(forTimeInterval: 0.1)
            }
        }
    }

    private func turn() throws {
        let full = links.filter { $0.isBlocked || isUnannounced($0) }.map(\.socket)
        try Waiting.poll([router] + links.map(\.monitor.socket), full: full, inbox.wakeUp, timeoutMilliseconds: 250)
        for input in inbox.takeAll() { try take(input) }
        try receive()
        try send()
        try watch()
    }

    private func isUnannounced(_ link: PeerLink) -> Bool { attempt?.unannounced.contains(link.peer) ?? false }

    private func take(_ input: Input) throws {
        switch input {
        case .start(let plan, let own, let reduction): try start(plan, own, reduction)
        case .progressed: complete()
        case .stop:
            attempt = nil
            for link in links { link.drop() }
        case .close: isClosed = true
        }
    }

    private func start(_ plan: ExchangePlan, _ own: PeerID, _ reduction: any PartReduction) throws {
        let others = plan.roster.filter { $0.peer != own }
        // A connection that was lost may have lost messages; what comes over a new one is whole. One of this worker's former
        // session would name a sender that is not in the roster.
        links.removeAll { link in
            link.lostAt != nil || link.own != own
                || !others.contains { $0.peer == link.peer && endpoint($0) == link.endpoint }
        }
        for link in links { link.drop() }
        let place = plan.roster.firstIndex { $0.peer == own } ?? 0
        // Before anything that may fail: a failure is reported as the attempt's.
        attempt = Attempt(
            plan: plan, own: own, shards: Set(plan.roster[place].shards), reduction: reduction,
            state: ExchangeState(own: own), unannounced: [], incomplete: Array(0..<reduction.partCount), began: .now)
        for participant in others where !links.contains(where: { $0.peer == participant.peer }) {
            links.append(try PeerLink(participant, endpoint: endpoint(participant), own: own, context: context))
        }
        // Each begins with another receiver, so that no link is everybody's first.
        let order = plan.roster.indices.map { plan.roster[(place + $0) % plan.roster.count].peer }
        links.sort { order.firstIndex(of: $0.peer) ?? 0 < order.firstIndex(of: $1.peer) ?? 0 }
        handle(.began(plan, parts: reduction.partCount))
        complete()
    }

    private func endpoint(_ participant: ExchangePlan.Participant) -> String {
        participant.endpoint.hasPrefix("tcp://:")
            ? "tcp://\(configuration.defaultHost)\(participant.endpoint.dropFirst(6))" : participant.endpoint
    }

    /// Looks which parts have become complete.
    private func complete() {
        guard let current = attempt else { return }
        var completed: [Int] = []
        var incomplete: [Int] = []
        for part in current.incomplete {
            if current.reduction.isComplete(part: part, shards: current.shards) {
                completed.append(part)
            } else {
                incomplete.append(part)
            }
        }
        attempt?.incomplete = incomplete
        for part in completed { handle(.completed(part: part)) }
    }

    private func handle(_ event: ExchangeState.Event) {
        for action in attempt?.state.handle(event) ?? [] {
            guard let reduction = attempt?.reduction else { return }
            do {
                switch action {
                case .announce(let peer): attempt?.unannounced.insert(peer)
                case .beginReducing(let part): try reduction.beginReducing(part: part)
                case .add(let data, let part): try reduction.add(data, to: part)
                case .reduce(let part):
                    let others = (attempt?.plan.roster.count ?? 1) - 1
                    let data = try reduction.reduced(part: part)
                    guard isAsPlanned(part) else { return }
                    if others > 0 { attempt?.reduced[part] = (data, others) }
                case .install(let data, let part): try reduction.install(data, part: part)
                case .finish: try finish(reduction)
                }
            } catch {
                fail([], "\(error)")
            }
        }
    }

    /// Whether what was read of a part is what the plan says. Shards that came here since count elsewhere too: the coordinator
    /// has given the attempt up, and nothing of it may reach anybody any more.
    private func isAsPlanned(_ part: Int) -> Bool {
        guard let current = attempt else { return false }
        if current.reduction.isComplete(part: part, shards: current.shards) { return true }
        attempt = nil
        for link in links { link.drop() }
        return false
    }

    private func finish(_ reduction: any PartReduction) throws {
        guard let plan = attempt?.plan, let own = attempt?.own, attempt?.isReported == false else { return }
        // Others wait for what is still to be sent, and the step takes a while.
        try send()
        let digest = try reduction.finish()
        attempt?.isReported = true
        report(.exchanged(own: own, pass: plan.pass, attempt: plan.attempt, digest: digest))
    }

    private func receive() throws {
        for _ in 0..<64 {
            guard let frames = try router.receive() else { return }
            guard let name = frames.first, let sender = RoutingID(bytes: name)?.peer else { continue }
            do throws(WireError) {
                guard let packet = Packet(frames: Array(frames.dropFirst())) else {
                    throw WireError(.frames, expected: "1 or 2", found: "\(frames.count - 1)")
                }
                handle(.received(try PeerMessage(decoding: packet), from: sender))
            } catch {
                // Of whom it is is not certain either, unless it is one of ours.
                if attempt?.plan.roster.contains(where: { $0.peer == sender }) == true {
                    fail([sender], "a damaged message: \(error.code.rawValue)")
                }
            }
        }
        // There may be more, and whoever waits for room to send is not to wait for it.
        inbox.wakeUp.signal()
    }

    /// Sends until all connections are full or nothing is left, one message a connection by turns.
    private func send() throws {
        guard let plan = attempt?.plan else { return }
        var isMoving = true
        while isMoving {
            isMoving = false
            for link in links {
                guard try link.flush(), let place = plan.roster.firstIndex(where: { $0.peer == link.peer }) else {
                    continue
                }
                if attempt?.unannounced.remove(link.peer) != nil {
                    try link.send(PeerMessage(.ready, pass: plan.pass, attempt: plan.attempt))
                    isMoving = true
                } else if let shipment = attempt?.state.nextShipment(to: place) {
                    try ship(shipment, over: link, of: plan)
                    isMoving = true
                }
            }
        }
    }

    private func ship(_ shipment: ExchangeState.Shipment, over link: PeerLink, of plan: ExchangePlan) throws {
        let data: Data
        switch shipment.kind {
        case .contribution:
            do {
                data = try attempt?.reduction.contribution(part: shipment.part) ?? Data()
            } catch {
                fail([], "\(error)")
                return
            }
            guard isAsPlanned(shipment.part) else { return }
        case .reduced:
            guard let kept = attempt?.reduced[shipment.part] else { return }
            data = kept.data
            attempt?.reduced[shipment.part] = kept.receivers > 1 ? (kept.data, kept.receivers - 1) : nil
        case .ready: return
        }
        try link.send(
            PeerMessage(
                shipment.kind, pass: plan.pass, attempt: plan.attempt, part: shipment.part, data: data))
    }

    private func watch() throws {
        let now = Moment.now
        for link in links { try link.watch(now: now) }
        guard let attempt, !attempt.isReported else { return }
        let lost = links.filter { $0.lostAt.map { now - $0 > configuration.patience } ?? false }.map(\.peer)
        if !lost.isEmpty {
            fail(lost, "the connection is lost")
        } else if now - attempt.began > configuration.patience, !attempt.state.silentPeers.isEmpty {
            fail(attempt.state.silentPeers, "no answer")
        }
    }

    private func fail(_ peers: [PeerID], _ reason: String) {
        guard let plan = attempt?.plan, let own = attempt?.own, attempt?.isReported == false else { return }
        attempt?.isReported = true
        report(.failed(own: own, pass: plan.pass, attempt: plan.attempt, peers: peers, reason: reason))
    }
}
