import ClusterProtocol
import Foundation
import Messaging

/// The thread that moves parts between workers' processes, as `ExchangeLoop` does: the real state machine, with simulated
/// connections.
final class SimulatedExchange {
    enum Input {
        case start(ExchangePlan, own: PeerID, SimulatedReduction)
        case progressed
        case stop
        case received(PeerMessage, from: PeerID)
    }

    private struct Attempt {
        let plan: ExchangePlan
        let own: PeerID
        let shards: Set<Int>
        let reduction: SimulatedReduction
        var state: ExchangeState
        var unannounced: Set<PeerID> = []
        var incomplete: [Int]
        var reduced: [Int: Data] = [:]
        let began: Moment
        var isReported = false
    }

    /// To another worker's process.
    private final class Link {
        let peer: PeerID
        let own: PeerID
        let port: Int
        var isUp = false
        var isClosed = false
        /// Counts the connections: what is under way on a broken one is lost.
        var connection = 0
        var lostAt: Moment?
        var underWay = 0
        var lastArrival: Int64 = 0

        init(peer: PeerID, own: PeerID, port: Int) {
            self.peer = peer
            self.own = own
            self.port = port
        }
    }

    private unowned let worker: SimulatedWorker
    private unowned let simulation: Simulation
    private var inbox: [Input] = []
    private var isRunning = false
    /// It takes a step.
    private var isBusy = false
    private var attempt: Attempt?
    private var links: [Link] = []

    private static let patience = Duration.seconds(10)
    /// After which a connection on which nothing comes through is given up.
    static let silence = 30_000.0
    private static let queuedMessages = 4

    init(_ worker: SimulatedWorker) {
        self.worker = worker
        simulation = worker.simulation
    }

    func put(_ input: Input) {
        inbox.append(input)
        run()
    }

    func run() {
        guard worker.isAlive, !worker.isPaused, !isBusy, !isRunning else { return }
        isRunning = true
        while !isBusy, !inbox.isEmpty { take(inbox.removeFirst()) }
        if !isBusy { send() }
        isRunning = false
    }

    private func take(_ input: Input) {
        switch input {
        case .start(let plan, let own, let reduction): start(plan, own, reduction)
        case .progressed: complete()
        case .stop: attempt = nil
        case .received(let message, let sender): handle(.received(message, from: sender))
        }
    }

    private func start(_ plan: ExchangePlan, _ own: PeerID, _ reduction: SimulatedReduction) {
        let others = plan.roster.filter { $0.peer != own }
        for link in links
        where link.lostAt != nil || link.own != own || !others.contains(where: { $0.peer == link.peer }) {
            link.isClosed = true
        }
        links.removeAll { $0.isClosed }
        for participant in others where !links.contains(where: { $0.peer == participant.peer }) {
            let port = Int(participant.endpoint.dropFirst("tcp://:".count)) ?? 0
            let link = Link(peer: participant.peer, own: own, port: port)
            links.append(link)
            connect(link, pause: simulation.uniform(1...20))
        }
        let shards = plan.roster.first { $0.peer == own }?.shards ?? []
        attempt = Attempt(
            plan: plan, own: own, shards: Set(shards), reduction: reduction, state: ExchangeState(own: own),
            incomplete: Array(0..<reduction.partCount), began: simulation.now)
        simulation.count("attempts begun")
        handle(.began(plan, parts: reduction.partCount))
        complete()
    }

    private func complete() {
        guard let current = attempt else { return }
        let completed = current.incomplete.filter { current.reduction.isComplete(part: $0, shards: current.shards) }
        attempt?.incomplete.removeAll { completed.contains($0) }
        for part in completed { handle(.completed(part: part)) }
    }

    private func handle(_ event: ExchangeState.Event) {
        for action in attempt?.state.handle(event) ?? [] {
            guard let reduction = attempt?.reduction else { return }
            switch action {
            case .announce(let peer): attempt?.unannounced.insert(peer)
            case .beginReducing(let part): reduction.beginReducing(part: part)
            case .add(let data, let part): reduction.add(data, to: part)
            case .reduce(let part):
                let data = reduction.reduced(part: part)
                guard isAsPlanned(part) else { return }
                attempt?.reduced[part] = data
            case .install(let data, let part): reduction.install(data, part: part)
            case .finish: finish()
            }
        }
    }

    private func isAsPlanned(_ part: Int) -> Bool {
        guard let current = attempt else { return false }
        if current.reduction.isComplete(part: part, shards: current.shards) { return true }
        simulation.count("attempts given up")
        attempt = nil
        return false
    }

    private func finish() {
        guard let current = attempt, !current.isReported else { return }
        send()
        if let outcome = current.reduction.outcome {
            report(outcome)
            return
        }
        guard worker.replica?.digest == current.reduction.replica.digest else {
            fail([], "no state")
            return
        }
        guard var next = current.reduction.stepped else {
            simulation.violate("\(worker.name) finishes without the whole gradient")
            return
        }
        isBusy = true
        worker.replica = nil
        if simulation.corrupts(participants: current.plan.roster.count) { next.value ^= 1 << 20 }
        simulation.schedule(after: simulation.uniform(0...simulation.job.stepTime)) { [weak self] in
            guard let self, worker.isAlive else { return }
            worker.replica = next
            current.reduction.outcome = next.digest
            isBusy = false
            report(next.digest)
            run()
        }
    }

    private func report(_ digest: Data) {
        guard let current = attempt else { return }
        attempt?.isReported = true
        simulation.count("exchanges finished")
        worker.handle(
            .exchanged(own: current.own, pass: current.plan.pass, attempt: current.plan.attempt, digest: digest))
    }

    private func fail(_ peers: [PeerID], _ reason: String) {
        guard let current = attempt, !current.isReported else { return }
        attempt?.isReported = true
        simulation.count("attempts failed: \(reason)")
        worker.handle(
            .exchangeFailed(
                own: current.own, pass: current.plan.pass, attempt: current.plan.attempt, peers: peers, reason: reason))
    }

    /// Looks at deadlines.
    func watch() {
        guard !isBusy, let attempt, !attempt.isReported else { return }
        let now = simulation.now
        let lost = links.filter { $0.lostAt.map { now - $0 > Self.patience } ?? false }.map(\.peer)
        if !lost.isEmpty {
            fail(lost, "lost connection")
        } else if now - attempt.began > Self.patience, !attempt.state.silentPeers.isEmpty {
            fail(attempt.state.silentPeers, "no answer")
        }
    }

    // MARK: Connections

    private func connect(_ link: Link, pause: Double) {
        simulation.schedule(after: pause) { [weak self] in
            guard let self, worker.isAlive, !link.isClosed, !link.isUp else { return }
            guard simulation.worker(port: link.port) != nil, simulation.isolation(worker.port, link.port) == 0 else {
                connect(link, pause: min(1000, pause * 2))
                return
            }
            link.isUp = true
            run()
        }
    }

    private func lose(_ link: Link) {
        guard !link.isClosed, link.isUp else { return }
        link.isUp = false
        link.connection += 1
        link.underWay = 0
        link.lostAt = simulation.now
        connect(link, pause: 50)
    }

    /// One of the connections breaks.
    func breakLink() {
        guard let link = links.randomElement(using: &simulation.random) else { return }
        simulation.count("broken connections between workers")
        simulation.note("\(worker.name) loses its connection to \(link.peer)")
        lose(link)
    }

    func peerEnded(port: Int) {
        for link in links where link.port == port {
            let pause = simulation.chance(0.8) ? simulation.uniform(0...300) : Self.silence
            let connection = link.connection
            simulation.schedule(after: pause) { [weak self] in
                if link.connection == connection { self?.lose(link) }
            }
        }
    }

    private func send() {
        guard let plan = attempt?.plan else { return }
        for link in links where link.isUp {
            guard let place = plan.roster.firstIndex(where: { $0.peer == link.peer }) else { continue }
            while link.isUp, link.underWay < Self.queuedMessages {
                if attempt?.unannounced.remove(link.peer) != nil {
                    transmit(PeerMessage(.ready, pass: plan.pass, attempt: plan.attempt), over: link)
                } else if let shipment = attempt?.state.nextShipment(to: place) {
                    guard let data = data(of: shipment) else { return }
                    transmit(
                        PeerMessage(
                            shipment.kind, pass: plan.pass, attempt: plan.attempt, part: shipment.part, data: data),
                        over: link)
                } else {
                    break
                }
            }
        }
    }

    private func data(of shipment: ExchangeState.Shipment) -> Data? {
        guard let current = attempt else { return nil }
        if shipment.kind == .reduced { return current.reduced[shipment.part] }
        let data = current.reduction.contribution(part: shipment.part)
        return isAsPlanned(shipment.part) ? data : nil
    }

    private func transmit(_ message: PeerMessage, over link: Link) {
        simulation.count("messages between workers")
        link.underWay += 1
        let isolation = simulation.isolation(worker.port, link.port)
        let connection = link.connection
        if isolation > Self.silence {
            simulation.schedule(after: Self.silence) { [weak self] in
                if link.connection == connection { self?.lose(link) }
            }
            return
        }
        // What a short partition delays is repeated after it.
        var milliseconds = simulation.faults.delay + isolation
        if !simulation.isQuiet { milliseconds += simulation.uniform(0...max(simulation.faults.jitter, 1)) }
        let now = simulation.now.nanoseconds
        let arrival = max(link.lastArrival, now + Int64(milliseconds * 1e6))
        link.lastArrival = arrival
        let copies = simulation.chance(simulation.faults.duplication) ? 2 : 1
        simulation.schedule(after: Double(arrival - now) / 1e6) { [weak self] in
            guard let self, !link.isClosed, link.connection == connection else { return }
            link.underWay -= 1
            if let receiver = simulation.worker(port: link.port) {
                for _ in 0..<copies { receiver.exchange.put(.received(message, from: link.own)) }
            }
            run()
        }
    }
}
