import ClusterProtocol
import Foundation
import Messaging
import Support

/// A worker's process: the real state machine, with simulated connections and lanes.
final class SimulatedWorker {
    /// Both connections of one incarnation.
    final class Link {
        let peer: PeerID
        var isUp = false
        /// Packets are swallowed in both directions.
        var silentChannels: Set<Channel> = []
        /// When the last message of each direction and channel arrives: later ones do not overtake.
        var arrivals: [String: Int64] = [:]

        init(peer: PeerID) {
            self.peer = peer
        }
    }

    unowned let simulation: Simulation
    let name: String
    let lanes: Int
    /// Where other workers connect to.
    let port: Int
    /// A machine that must take no part.
    let computesOtherBits: Bool
    private(set) var state: WorkerState
    private(set) var link: Link?
    private(set) var isAlive = true
    private var pausedUntil: Moment?
    private var deferred: [WorkerState.Event] = []

    // The lanes.
    private var waiting: [WorkerState.WorkItem] = []
    private var computing = 0
    private var setUp = 0
    private var executor: Executor?

    /// What a pass's shards are computed with.
    private enum Executor {
        case pass(Int)
        case step(SimulatedReplica, SimulatedReduction?)
        case state(Data)
    }

    // Kept from pass to pass, and what moves between workers.
    var replica: SimulatedReplica?
    private(set) lazy var exchange = SimulatedExchange(self)

    init(simulation: Simulation, name: String, lanes: Int, port: Int, computesOtherBits: Bool) {
        self.simulation = simulation
        self.name = name
        self.lanes = lanes
        self.port = port
        self.computesOtherBits = computesOtherBits
        state = WorkerState(
            identity: WorkerState.Identity(
                worker: name, lanes: lanes, compute: ComputeIdentity(library: "sim 1", supportedISAs: ["plain"]),
                host: "host", process: 1, exchangePort: port),
            limits: simulation.limits)
    }

    func start() {
        simulation.note("\(name) starts with \(lanes) lanes")
        handle(.started)
        tick()
    }

    private func tick() {
        guard isAlive else { return }
        handle(.tick)
        if !isPaused { exchange.watch() }
        simulation.schedule(after: 250) { [weak self] in self?.tick() }
    }

    var isPaused: Bool { pausedUntil != nil }

    // MARK: Faults

    func crash() {
        simulation.note("\(name) crashes")
        simulation.count("worker crashes")
        end()
        simulation.workerEnded(self)
    }

    private func end() {
        isAlive = false
        link?.isUp = false
    }

    func pause(for milliseconds: Double) {
        simulation.note("\(name) pauses for \(milliseconds) ms")
        pausedUntil = Moment(nanoseconds: simulation.now.nanoseconds + Int64(milliseconds * 1e6))
        simulation.schedule(after: milliseconds) { [weak self] in
            guard let self, isAlive, let until = pausedUntil, simulation.now >= until else { return }
            pausedUntil = nil
            let events = deferred
            deferred = []
            for event in events { handle(event) }
            exchange.run()
        }
    }

    /// The connection breaks: what is under way is lost, and this side notices.
    func breakLink() {
        guard let link, link.isUp else { return }
        simulation.note("\(name) loses its connection")
        simulation.count("broken connections")
        link.isUp = false
        let incarnation = link.peer.incarnation
        simulation.schedule(after: simulation.uniform(0...300)) { [weak self] in
            self?.handle(.disconnected(incarnation: incarnation))
        }
    }

    func coordinatorCrashed(isNoticed: Bool) {
        if isNoticed { breakLink() } else { link?.isUp = false }
    }

    func partition(for milliseconds: Double, channels: Set<Channel>) {
        guard let link else { return }
        simulation.note("\(name) is cut off for \(milliseconds) ms, \(channels.map(\.rawValue).sorted())")
        link.silentChannels = channels
        simulation.schedule(after: milliseconds) { link.silentChannels = [] }
    }

    // MARK: Driving

    func handle(_ event: WorkerState.Event) {
        guard isAlive else { return }
        if pausedUntil != nil {
            deferred.append(event)
            return
        }
        var events = [event]
        while !events.isEmpty, isAlive {
            for action in state.handle(events.removeFirst(), now: simulation.now) {
                switch action {
                case .cancel(let tokens): events.append(.cancelled(cancel(tokens)))
                case .examine(let pass, let descriptor, let artifacts):
                    events.append(.needed(pass: pass, artifacts.filter { needs($0, descriptor) }))
                default: perform(action)
                }
            }
        }
        let bound = simulation.limits.creditsPerLane * lanes
        if state.heldLeases > 2 * bound { simulation.violate("\(name) holds \(state.heldLeases) leases") }
        if state.heldResults > simulation.limits.unacknowledgedResults * 64 {
            simulation.violate("\(name) keeps \(state.heldResults) results")
        }
    }

    private func perform(_ action: WorkerState.Action) {
        switch action {
        case .openLink(let peer):
            let link = Link(peer: peer)
            self.link = link
            connect(link, pause: 20)
        case .closeLink:
            link?.isUp = false
            link = nil
        case .send(let channel, let envelope): send(envelope, on: channel)
        case .setUp(let setUp): prepare(setUp)
        case .compute(let item):
            if computesOtherBits { simulation.violate("\(name), which computes other bits, has a shard") }
            waiting.append(item)
            compute()
        case .exchange(let plan, let own, let setUp):
            guard setUp == self.setUp, case .step(_, let reduction?) = executor else {
                simulation.violate("\(name) is to exchange what it has not set up")
                return
            }
            exchange.put(.start(plan, own: own, reduction))
        case .endExchange: exchange.put(.stop)
        case .cancel, .examine, .probe: break
        case .exit(let exit):
            simulation.note("\(name) exits: \(exit)")
            simulation.count("exit \(exit)".prefix { $0 != "(" }.description)
            if case .refused(let refusal) = exit, refusal.code != .probe || !computesOtherBits {
                simulation.violate("\(name) was refused: \(exit)")
            }
            end()
            simulation.workerEnded(self)
        case .log(let event): simulation.note("\(name): \(event.message) \(event.metadata.sorted { $0.key < $1.key })")
        }
    }

    // MARK: Network

    private func connect(_ link: Link, pause: Double) {
        simulation.schedule(after: pause) { [weak self] in
            guard let self, isAlive, self.link === link else { return }
            guard simulation.coordinator?.isAlive == true else {
                connect(link, pause: min(4000, pause * 2))
                return
            }
            link.isUp = true
            handle(.connected(incarnation: link.peer.incarnation))
        }
    }

    /// The arrival of a message that is sent now, nil when it is lost.
    private func delay(_ link: Link, _ channel: Channel, _ direction: String) -> Double? {
        if link.silentChannels.contains(channel) || simulation.chance(simulation.faults.loss) { return nil }
        var milliseconds = simulation.faults.delay
        if simulation.faults.jitter > 0, !simulation.isQuiet {
            milliseconds += simulation.uniform(0...simulation.faults.jitter)
        }
        let key = channel.rawValue + direction
        let now = simulation.now.nanoseconds
        let arrival = now + Int64(milliseconds * 1e6)
        // Now and then a message overtakes others; a connection that kept its promises would not let it.
        if let last = link.arrivals[key], last > arrival, !simulation.chance(0.02) {
            milliseconds = Double(last - now) / 1e6
        }
        link.arrivals[key] = now + Int64(milliseconds * 1e6)
        return milliseconds
    }

    /// The bytes of a message, perhaps damaged, which must never be taken for a message; nil in the seeds that save the
    /// time of encoding.
    private func transmit(_ encoded: @autoclosure () -> Packet) -> (Packet?, isDamaged: Bool) {
        guard simulation.encodesMessages else { return (nil, false) }
        var packet = encoded()
        guard simulation.chance(simulation.faults.damage) else { return (packet, false) }
        simulation.count("damaged messages")
        let size = packet.control.count + (packet.bulk?.count ?? 0)
        let bit = Int.random(in: 0..<size * 8, using: &simulation.random)
        if bit / 8 < packet.control.count {
            packet.control[packet.control.startIndex + bit / 8] ^= 1 << (bit % 8)
        } else {
            var bulk = Data(packet.bulk ?? Data())
            bulk[bit / 8 - packet.control.count] ^= 1 << (bit % 8)
            packet.bulk = bulk
        }
        return (packet, true)
    }

    private func send(_ envelope: Envelope<WorkerMessage>, on channel: Channel) {
        guard let link, link.isUp, let coordinator = simulation.coordinator else { return }
        simulation.count("messages")
        let (packet, isDamaged) = transmit(envelope.encoded())
        let source = RoutingID(peer: link.peer, channel: channel)
        var isGoodbye = false
        if case .goodbye = envelope.message { isGoodbye = true }
        for _ in 0..<(simulation.chance(simulation.faults.duplication) ? 2 : 1) {
            guard let delay = delay(link, channel, "up") else { continue }
            simulation.schedule(after: delay) { [weak self, weak coordinator] in
                // Of a link that was closed on purpose, the goodbye still arrives.
                guard let self, let coordinator, link.isUp || isGoodbye else { return }
                guard let packet else {
                    coordinator.handle(.received(source, envelope))
                    return
                }
                do throws(WireError) {
                    let decoded = try Envelope<WorkerMessage>(decoding: packet)
                    if isDamaged { simulation.violate("a damaged message was taken for \(decoded)") }
                    coordinator.handle(.received(source, decoded))
                } catch {
                    if !isDamaged { simulation.violate("\(envelope.message) was refused: \(error)") }
                    coordinator.handle(.undecodable(source, error))
                }
            }
        }
    }

    func receive(_ envelope: Envelope<CoordinatorMessage>, on channel: Channel) {
        guard let link else { return }
        simulation.count("messages")
        let (packet, isDamaged) = transmit(envelope.encoded())
        for _ in 0..<(simulation.chance(simulation.faults.duplication) ? 2 : 1) {
            guard let delay = delay(link, channel, "down") else { continue }
            simulation.schedule(after: delay) { [weak self] in
                guard let self, self.link === link, link.isUp else { return }
                guard let packet else {
                    handle(.received(channel, envelope))
                    return
                }
                do throws(WireError) {
                    let decoded = try Envelope<CoordinatorMessage>(decoding: packet)
                    if isDamaged { simulation.violate("a damaged message was taken for \(decoded)") }
                    handle(.received(channel, decoded))
                } catch {
                    if !isDamaged { simulation.violate("\(envelope.message) was refused: \(error)") }
                    // A flipped version is a damaged header, not another version.
                    if error.code == .protocolVersion { simulation.violate("damage was taken for a version") }
                    handle(.undecodable(error))
                }
            }
        }
    }

    // MARK: Lanes

    private func prepare(_ setUp: WorkerState.SetUp) {
        self.setUp = setUp.number
        executor = nil
        guard let task = simulation.tasks[setUp.descriptor] else {
            simulation.violate("\(name) sets pass \(setUp.pass.pass) up with another descriptor than the coordinator's")
            return
        }
        if setUp.artifacts.contains(where: { SHA256Digest(of: $1) != $0 })
            || task == .pass(setUp.pass.pass) && setUp.artifacts != expectedArtifacts(setUp.pass.pass)
        {
            simulation.violate("\(name) sets pass \(setUp.pass.pass) up with other bytes than the coordinator's")
        }
        simulation.schedule(after: simulation.uniform(0...simulation.job.setUpTime)) { [weak self] in
            guard let self, isAlive else { return }
            if simulation.chance(simulation.faults.setUpFailure) {
                handle(.setUpFailed(setUp.number, ShardFailure(permanent: false, code: "memory")))
                return
            }
            guard let made = makeExecutor(task, setUp.artifacts) else {
                simulation.count("workers that lack a state")
                handle(.setUpFailed(setUp.number, ShardFailure(permanent: false, code: ShardFailure.stateMissing)))
                return
            }
            if self.setUp == setUp.number { executor = made }
            handle(.setUpDone(setUp.number, probe: SHA256Digest(of: Data([computesOtherBits ? 1 : 0]))))
        }
    }

    private func needs(_ artifact: ArtifactID, _ descriptor: Data) -> Bool {
        guard case .step(_, let state, artifact, _) = simulation.tasks[descriptor] else { return true }
        return replica?.digest != state
    }

    private func makeExecutor(_ task: SimulatedTask, _ artifacts: [ArtifactID: Data]) -> Executor? {
        switch task {
        case .pass(let pass): return .pass(pass)
        case .state(let digest):
            guard let replica, replica.digest == digest else { return nil }
            return .state(replica.encoded)
        case .step(_, let state, let snapshot, let isReduced):
            if replica?.digest != state {
                guard let bytes = snapshot.flatMap({ artifacts[$0] }) else { return nil }
                replica = SimulatedReplica(decoding: bytes)
            }
            guard let replica, replica.digest == state else {
                simulation.violate("\(name) got another state than it was told of")
                return nil
            }
            return .step(replica, isReduced ? SimulatedReduction(replica, parts: simulation.job.parts) : nil)
        }
    }

    private func expectedArtifacts(_ pass: Int) -> [ArtifactID: Data] {
        var artifacts: [ArtifactID: Data] = [:]
        for index in SimulatedCoordinator.artifacts(ofPass: pass) {
            let data = SimulatedCoordinator.artifact(index)
            artifacts[SHA256Digest(of: data)] = data
        }
        return artifacts
    }

    private func cancel(_ tokens: [LeaseToken]) -> [LeaseToken] {
        let cancelled = waiting.filter { tokens.contains($0.id.token) }.map(\.id.token)
        waiting.removeAll { tokens.contains($0.id.token) }
        return cancelled
    }

    private func compute() {
        guard let executor, computing < lanes, !waiting.isEmpty else { return }
        let item = waiting.removeFirst()
        guard item.id.setUp == setUp else { return compute() }
        computing += 1
        let isHung = simulation.chance(simulation.faults.hang)
        let fails = simulation.chance(simulation.faults.failure)
        let time = Double(Int.random(in: simulation.job.shardTime, using: &simulation.random))
        if case .step(_, let reduction?) = executor {
            // Whoever does not end has contributed to some parts all the same.
            let parts =
                isHung || fails
                ? Int.random(in: 0...reduction.partCount, using: &simulation.random) : reduction.partCount
            for part in 0..<parts {
                simulation.schedule(after: time * Double(part + 1) / Double(reduction.partCount + 1)) { [weak self] in
                    guard let self, isAlive else { return }
                    reduction.add(slot: item.shard, part: part)
                    exchange.put(.progressed)
                }
            }
        }
        if isHung {
            simulation.note("\(name) hangs on shard \(item.shard)")
            simulation.count("hung shards")
            return
        }
        simulation.schedule(after: time) { [weak self] in
            guard let self, isAlive else { return }
            computing -= 1
            if fails {
                simulation.count("failed shards")
                handle(
                    .failed(
                        item.id, ShardFailure(permanent: false, code: "weather", fields: ["shard": "\(item.shard)"])))
            } else {
                let result = result(of: item, executor)
                simulation.count("computed shards")
                // A lane's thread may be held up before it tells.
                simulation.schedule(after: simulation.chance(0.1) ? simulation.uniform(0...300) : 0) { [weak self] in
                    self?.handle(
                        .computed(
                            item.id, result: result, digest: SHA256Digest(of: result), nanoseconds: Int(time * 1e6)))
                }
            }
            compute()
        }
    }

    private func result(of item: WorkerState.WorkItem, _ executor: Executor) -> Data {
        switch executor {
        case .pass(let pass):
            if item.payload != simulation.payload(pass: pass, shard: item.shard) {
                simulation.violate("\(name) computes shard \(item.shard) of another payload")
            }
            return Simulation.result(pass: pass, shard: item.shard, payload: item.payload)
        case .state(let bytes): return SimulatedReplica.stretch(item.shard, of: bytes)
        case .step(let replica, .some): return replica.summary(slot: item.shard)
        case .step(let replica, nil):
            return (0..<simulation.job.parts).reduce(into: Data()) {
                $0 += SimulatedReplica.bytes(replica.contribution(slot: item.shard, part: $1))
            }
        }
    }
}
