import ClusterProtocol
import Foundation
import Messaging
import Support

/// A coordinator's process: the real state machine, with a simulated disk, reading thread and committing thread.
final class SimulatedCoordinator {
    unowned let simulation: Simulation
    var isAlive = true
    private(set) var state: CoordinatorState
    private let epoch: UInt32
    private var pausedUntil: Moment?
    private var deferred: [CoordinatorState.Event] = []

    // The committing thread.
    private var pass = 0
    private var task = SimulatedTask.pass(0)
    /// Of the pass that runs, by shard, where it is not journaled.
    private var results: [Int: Data] = [:]
    private lazy var training = SimulatedTraining(self)
    private var reducer = SimulatedReducer()
    private var batch: [CoordinatorState.ReceivedResult] = []
    private var isCommitScheduled = false
    // The reading thread.
    private var position = 0
    private var wanted = 0
    private var isReading = false
    private var hasEnded = false
    private var capacity = 0

    init(simulation: Simulation) {
        self.simulation = simulation
        simulation.disk.epoch += 1
        epoch = simulation.disk.epoch
        state = CoordinatorState(
            identity: CoordinatorState.Identity(job: "job", epoch: epoch, library: "sim 1", isa: "plain"),
            limits: simulation.limits)
    }

    func start() {
        simulation.note("coordinator starts in epoch \(epoch)")
        for index in 0..<3 {
            let data = Self.artifact(index)
            handle(.artifactAdded(SHA256Digest(of: data), data))
        }
        tick()
        beginPass()
    }

    /// All passes have one probe.
    static let probed = SHA256Digest(of: Data("model".utf8))

    static func artifact(_ index: Int) -> Data { Data(repeating: UInt8(index), count: [0, 100, 500][index]) }

    static func artifacts(ofPass pass: Int) -> [Int] { [[0, 1], [1, 2], [2]][pass % 3] }

    static func descriptor(ofPass pass: Int) -> Data { Data("descriptor of \(pass)".utf8) }

    private func tick() {
        guard isAlive else { return }
        handle(.tick)
        simulation.schedule(after: 250) { [weak self] in self?.tick() }
    }

    func pause(for milliseconds: Double) {
        simulation.note("coordinator pauses for \(milliseconds) ms")
        pausedUntil = Moment(nanoseconds: simulation.now.nanoseconds + Int64(milliseconds * 1e6))
        simulation.schedule(after: milliseconds) { [weak self] in
            guard let self, isAlive, let until = pausedUntil, simulation.now >= until else { return }
            pausedUntil = nil
            let events = deferred
            deferred = []
            for event in events { handle(event) }
        }
    }

    func handle(_ event: CoordinatorState.Event) {
        guard isAlive else { return }
        if pausedUntil != nil {
            deferred.append(event)
            return
        }
        for action in state.handle(event, now: simulation.now) { perform(action) }
        if case .received(let source, _) = event, source.channel == .heartbeat { return }
        for violation in state.invariantViolations() { simulation.violate("coordinator: \(violation)") }
        // What is kept follows what was asked for; credits vanish with their workers, shards do not.
        capacity = max(capacity, state.grantedCapacity)
        let bound = capacity + simulation.limits.readAhead + simulation.limits.uncommittedResults * 64
        if state.heldShards > bound { simulation.violate("\(state.heldShards) shards are kept, more than \(bound)") }
    }

    private func perform(_ action: CoordinatorState.Action) {
        switch action {
        case .send(let target, let envelope):
            check(envelope.message, to: target)
            deliver(envelope, to: target)
        case .forget, .tellWaiting: break
        case .readShards(let count):
            wanted += count
            read()
        case .merge(let result): merge(result)
        case .flush: scheduleCommit(after: 0)
        case .keepProbe(let answer):
            if simulation.disk.probe != nil { simulation.violate("a second answer to the probe is kept") }
            simulation.disk.probe = answer
        case .passCompleted(let done): complete(done)
        case .passEnded(let error):
            if isJournaled { simulation.violate("a pass ended: \(error)") }
            pass += 1
            training.ended(error)
        case .jobFailed(let error): simulation.violate("the job failed: \(error)")
        case .log(let event):
            simulation.note("coordinator: \(event.message) \(event.metadata.sorted { $0.key < $1.key })")
        }
    }

    /// Acknowledged is what the disk has.
    private func check(_ message: CoordinatorMessage, to target: RoutingID) {
        guard case .ack(let tokens) = message else { return }
        for token in tokens where token.epoch == epoch {
            guard let (pass, shard) = leased[token] else {
                simulation.violate("acknowledged \(token), which was never leased")
                continue
            }
            guard pass < simulation.job.passes else { continue }
            guard let record = simulation.disk.passes[pass], record.isFinished || record.committed[shard] != nil else {
                simulation.violate("acknowledged shard \(shard) of pass \(pass), which is not committed")
                continue
            }
        }
    }

    private var leased: [LeaseToken: (pass: Int, shard: Int)] = [:]

    private func deliver(_ envelope: Envelope<CoordinatorMessage>, to target: RoutingID) {
        if case .lease(let lease) = envelope.message { leased[lease.token] = (lease.pass, lease.shard) }
        if case .exchange(let plan) = envelope.message, plan.attempt > 1 {
            simulation.count("plans of a further attempt")
        }
        guard let worker = simulation.workers.first(where: { $0.link?.peer == target.peer && $0.link?.isUp == true })
        else {
            // As the socket does: unknown to it means unreachable, at once.
            simulation.schedule(after: 0) { [weak self] in self?.handle(.unreachable(target)) }
            return
        }
        worker.receive(envelope, on: target.channel)
    }

    // MARK: Reading

    private func read() {
        guard !isReading, !hasEnded, wanted > 0 else { return }
        isReading = true
        let pass = pass
        simulation.schedule(after: simulation.uniform(0...3)) { [weak self] in
            guard let self, isAlive, pass == self.pass else { return }
            isReading = false
            while position < shards, committedAtStart.contains(position) { position += 1 }
            if position == shards {
                hasEnded = true
                handle(.sourceEnded(shards: position))
                return
            }
            wanted -= 1
            position += 1
            handle(
                .shardRead(
                    Shard(
                        index: position - 1, sampleCount: 2,
                        payload: simulation.payload(pass: pass, shard: position - 1))))
            read()
        }
    }

    private var committedAtStart: Set<Int> = []

    private var isJournaled: Bool { if case .pass = task { true } else { false } }

    private var shards: Int {
        switch task {
        case .pass: simulation.job.shards
        case .step: simulation.job.slots
        case .state: SimulatedReplica.stretches
        }
    }

    // MARK: Passes

    private func beginPass() {
        guard isAlive else { return }
        while simulation.disk.passes[pass]?.isFinished == true { pass += 1 }
        guard pass < simulation.job.passes else {
            if training.isDone {
                simulation.jobIsDone()
                handle(.finish)
            } else {
                training.proceed()
            }
            return
        }
        let record = simulation.disk.passes[pass] ?? SimulatedDisk.Pass()
        simulation.disk.passes[pass] = record
        task = .pass(pass)
        reducer = record.reducer
        var committed = CommittedShards()
        for (shard, digest) in record.committed { committed.insert(shard, digest: digest, samples: 2) }
        start(artifacts: Self.artifacts(ofPass: pass).map(Self.artifact), committed, Set(record.committed.keys))
    }

    /// A pass of a training.
    func begin(_ task: SimulatedTask, artifacts: [Data]) {
        self.task = task
        reducer = SimulatedReducer()
        results = [:]
        simulation.tasks[task.descriptor] = task
        start(artifacts: artifacts, CommittedShards(), [])
    }

    private func start(artifacts: [Data], _ committed: CommittedShards, _ shards: Set<Int>) {
        batch = []
        (position, wanted, isReading, hasEnded, capacity) = (0, 0, false, false, 0)
        committedAtStart = shards
        var isReduced = false
        if case .step(_, _, _, true) = task { isReduced = true }
        handle(
            .passBegan(
                CoordinatorState.PassStart(
                    pass: pass, name: "pass \(pass)", descriptor: task.descriptor,
                    artifacts: artifacts.map { SHA256Digest(of: $0) }, committed: committed, isJournaled: isJournaled,
                    isReduced: isReduced, probe: Probe(subject: Self.probed, answer: simulation.disk.probe))))
    }

    /// What the thread of a training does next, once what it was told before has been told to the state: the next pass, unless
    /// it is something else.
    func trainOn(_ body: (() -> Void)? = nil) {
        simulation.schedule(after: 10 + simulation.uniform(0...20)) { [weak self] in
            guard let self, isAlive else { return }
            if let body {
                body()
            } else {
                beginPass()
            }
        }
    }

    func add(artifact data: Data) -> ArtifactID {
        let id = SHA256Digest(of: data)
        handle(.artifactAdded(id, data))
        return id
    }

    func remove(artifact id: ArtifactID) { handle(.artifactRemoved(id)) }

    private func merge(_ result: CoordinatorState.ReceivedResult) {
        guard result.pass == pass else { return }
        if SHA256Digest(of: result.result) != result.digest || simulation.chance(simulation.faults.resultDamage) {
            simulation.count("damaged results")
            simulation.schedule(after: simulation.uniform(0...5)) { [weak self] in
                self?.handle(.resultRejected(shard: result.shard, reason: "damaged"))
            }
            return
        }
        reducer.merge(shard: result.shard, result: result.result)
        if !isJournaled { results[result.shard] = result.result }
        batch.append(result)
        scheduleCommit(after: simulation.uniform(0...100))
    }

    private func scheduleCommit(after milliseconds: Double) {
        guard !isCommitScheduled else { return }
        isCommitScheduled = true
        let pass = pass
        simulation.schedule(after: milliseconds) { [weak self] in
            guard let self, isAlive else { return }
            isCommitScheduled = false
            guard pass == self.pass, !batch.isEmpty else { return }
            // The transaction: all of it survives from here on.
            for result in batch where isJournaled {
                if simulation.disk.passes[pass]?.committed.updateValue(result.digest, forKey: result.shard) != nil {
                    simulation.violate("shard \(result.shard) of pass \(pass) was committed twice")
                }
            }
            if isJournaled { simulation.disk.passes[pass]?.reducer = reducer }
            let shards = batch.map(\.shard)
            batch = []
            // A crash may come between the commit and what the network thread hears of it.
            simulation.schedule(after: simulation.uniform(0...5)) { [weak self] in self?.handle(.committed(shards)) }
        }
    }

    private func complete(_ done: CoordinatorState.PassCompletion) {
        if done.samples != 2 * shards || done.shards != shards || reducer.merged.values.contains(where: { $0 != 1 }) {
            simulation.violate("pass \(pass) counts \(done.samples) samples in \(done.shards) shards")
        }
        guard isJournaled else {
            simulation.note("pass \(pass) complete")
            pass += 1
            training.completed(done, results: results)
            return
        }
        let expected = simulation.expectedState(pass: pass)
        if reducer != expected || simulation.disk.passes[pass]?.reducer != expected {
            simulation.violate("pass \(pass) came to another result than one worker alone")
        }
        if simulation.disk.passes[pass]?.committed.count != simulation.job.shards {
            simulation.violate("pass \(pass) ended without all of its shards")
        }
        simulation.note("pass \(pass) complete")
        // A crash may come before the pass is marked as finished.
        simulation.schedule(after: simulation.uniform(0...50)) { [weak self] in
            guard let self, isAlive else { return }
            simulation.disk.passes[pass]?.isFinished = true
            simulation.schedule(after: simulation.uniform(0...500)) { [weak self] in self?.beginPass() }
        }
    }
}
