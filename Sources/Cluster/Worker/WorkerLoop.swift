import ClusterProtocol
import Foundation
import Logging
import Messaging

/// Drives the worker's state machine with sockets and a clock, and the lanes with what it decides.
final class WorkerLoop {
    private let configuration: WorkerConfiguration
    private let inbox: Inbox<WorkerState.Event>
    private let context: ZeroMQContext
    private let factory: any PassExecutorFactory
    private let lanes: LanePool
    private let exchange: (any ExchangeDriver)?
    private var state: WorkerState
    private var link: WorkerLink?
    private var exit: WorkerExit?
    /// A slow look-up of a name is not begun again while it lasts.
    private var isProbing = false

    init(configuration: WorkerConfiguration, factory: any PassExecutorFactory, inbox: Inbox<WorkerState.Event>) throws {
        precondition(configuration.lanes > 0, "a worker has at least one lane")
        self.configuration = configuration
        self.inbox = inbox
        self.factory = factory
        context = try ZeroMQContext()
        exchange = try Self.exchange(configuration) { inbox.put(WorkerState.Event($0)) }
        state = WorkerState(
            identity: WorkerState.Identity(
                worker: UUID().uuidString.lowercased(), lanes: configuration.lanes, compute: configuration.compute,
                host: Self.hostName, process: Int(ProcessInfo.processInfo.processIdentifier),
                exchangePort: exchange?.port ?? 0),
            limits: configuration.limits, keeping: SpilledArtifact.keeping)
        lanes = LanePool(
            lanes: configuration.lanes, stackSize: configuration.laneStackSize, factory: factory, inbox: inbox)
    }

    func run() throws -> WorkerExit {
        defer {
            exchange?.close()
            lanes.stop(timeout: .seconds(2))
        }
        try handle(.started)
        var nextTick = Moment.now + state.tick
        while true {
            if let exit { return exit }
            // A full queue has room again when the coordinator has read: looked at every other millisecond.
            let untilTick = max(0, (nextTick - .now).milliseconds + 1)
            let timeout = link?.hasWaiting == true ? min(2, untilTick) : untilTick
            try Waiting.poll(link?.sockets ?? [], inbox.wakeUp, timeoutMilliseconds: timeout)
            try receive()
            for event in inbox.takeAll() { try handle(event) }
            if .now >= nextTick {
                try handle(.tick)
                nextTick = .now + state.tick
            }
            try link?.flush()
        }
    }

    private static func exchange(
        _ configuration: WorkerConfiguration, report: @escaping @Sendable (ExchangeOutcome) -> Void
    ) throws -> (any ExchangeDriver)? {
        guard configuration.peerPort != 0 else { return nil }
        var exchange = Exchange.Configuration()
        exchange.port = configuration.peerPort ?? 0
        exchange.defaultHost = Exchange.host(of: configuration.endpoint)
        return try Exchange(exchange, report: report)
    }

    /// Without a look-up of names, which may take seconds.
    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func receive() throws {
        guard let link else { return }
        // A connection's messages are taken before the news that it is gone.
        let events = try link.connectionEvents()
        for case .connected(let incarnation) in events { try handle(.connected(incarnation: incarnation)) }
        for (channel, socket) in [(Channel.heartbeat, link.heartbeat), (.control, link.control)] {
            for _ in 0..<256 {
                guard link === self.link, let frames = try socket.receive() else { break }
                try handle(Self.event(frames, channel))
            }
        }
        for case .disconnected(let incarnation) in events where link === self.link {
            try handle(.disconnected(incarnation: incarnation))
        }
    }

    /// Finds out why there is no coordinator, on a thread of its own: looking up a name may take long.
    private func probe() {
        guard !isProbing else { return }
        isProbing = true
        let (endpoint, inbox) = (configuration.endpoint, inbox)
        _ = NamedThread("quantsim.probe", stackSize: 1 << 20) {
            inbox.put(.probed(endpoint: endpoint, reason: Reachability.of(endpoint: endpoint).reason))
        }
    }

    private static func event(_ frames: [Data], _ channel: Channel) -> WorkerState.Event {
        do throws(WireError) {
            guard let packet = Packet(frames: frames) else {
                throw WireError(.frames, expected: "1 or 2", found: "\(frames.count)")
            }
            return .received(channel, try Envelope(decoding: packet))
        } catch {
            return .undecodable(error)
        }
    }

    private func handle(_ event: WorkerState.Event) throws {
        if case .probed = event { isProbing = false }
        var events = [event]
        while !events.isEmpty {
            for action in state.handle(events.removeFirst(), now: .now) {
                switch action {
                case .openLink(let peer):
                    link = try WorkerLink(peer, endpoint: configuration.endpoint, context: context)
                case .closeLink:
                    try link?.flush()
                    link = nil
                case .send(let channel, let envelope): try link?.send(envelope.encoded(), on: channel)
                case .setUp(let setUp): lanes.setUp(setUp)
                case .compute(let item): lanes.put(item)
                case .cancel(let tokens): events.append(.cancelled(lanes.cancel(tokens)))
                case .examine(let pass, let descriptor, let artifacts):
                    events.append(
                        .needed(pass: pass, factory.neededArtifacts(descriptor: descriptor, of: artifacts)))
                case .exchange(let plan, let own, let setUp):
                    if let reduction = lanes.reduction(setUp: setUp) {
                        exchange?.start(plan, own: own, reduction: reduction)
                    }
                case .endExchange: exchange?.stop()
                case .probe: probe()
                case .exit(let exit): self.exit = exit
                case .log(let event): configuration.logger.record(event)
                }
            }
        }
    }
}

extension WorkerState.Event {
    init(_ outcome: ExchangeOutcome) {
        switch outcome {
        case .exchanged(let own, let pass, let attempt, let digest):
            self = .exchanged(own: own, pass: pass, attempt: attempt, digest: digest)
        case .failed(let own, let pass, let attempt, let peers, let reason):
            self = .exchangeFailed(own: own, pass: pass, attempt: attempt, peers: peers, reason: reason)
        }
    }
}
