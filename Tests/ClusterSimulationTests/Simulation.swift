import ClusterProtocol
import Foundation
import Messaging
import Support
import Tensors

/// A coordinator and workers over a network, all of it in one thread, in virtual time, driven by one seed. The protocol
/// is the real one, messages are encoded and decoded; sockets, clocks, disks and lanes are simulated.
final class Simulation {
    struct Job {
        var passes = 2
        var shards = 20
        /// Milliseconds a shard takes to compute.
        var shardTime = 1...1000
        var workers = 3
        var lanes = 1...3
        /// Of a training after the passes: none where there are no steps.
        var steps = 0
        /// Shards of a step, and parts that each contributes to.
        var slots = 1
        var parts = 1
        var checkpointEvery = 1
        /// Milliseconds that setting a pass up and taking a step may take.
        var setUpTime = 400.0
        var stepTime = 100.0
    }

    let seed: UInt64
    let faults: FaultPlan
    let job: Job
    let limits: ProtocolLimits
    var random: CounterRandom
    private(set) var now = Moment(nanoseconds: 0)
    private var queue = EventQueue()
    private(set) var events = 0
    private(set) var violations: [String] = []
    private(set) var isDone = false
    /// The last lines of what happened.
    private(set) var history: [String] = []
    var keepsHistory = false

    private(set) var coordinator: SimulatedCoordinator?
    var disk = SimulatedDisk()
    /// By descriptor.
    var tasks: [Data: SimulatedTask] = [:]
    private var partitionedPairs: [Set<Int>: Moment] = [:]
    private var hasCorrupted = false
    private(set) var workers: [SimulatedWorker] = []
    private var workersStarted = 0
    var statistics: [String: Int] = [:]

    /// - Parameter trains: whether the job that is drawn trains.
    init(seed: UInt64, faults: FaultPlan? = nil, job: Job? = nil, trains: Bool = false) {
        self.seed = seed
        random = CounterRandom(key: seed)
        self.faults = faults ?? (trains ? FaultPlan(ofTraining: &random) : FaultPlan(&random))
        self.job = job ?? Job(&random, trains: trains)
        var limits = ProtocolLimits()
        limits.chunkSize = 64
        // Chaos kills more than a poisonous shard would; those have their own test.
        limits.shardLosses = 10000
        limits.shardAttempts = 10000
        limits.patience = .seconds(60)
        limits.artifactCacheSize = 600
        self.limits = limits
        for pass in 0..<self.job.passes { tasks[SimulatedCoordinator.descriptor(ofPass: pass)] = .pass(pass) }
    }

    // MARK: Time

    func schedule(after milliseconds: Double, _ body: @escaping () -> Void) {
        queue.schedule(at: Moment(nanoseconds: now.nanoseconds + Int64(milliseconds * 1e6)), body)
    }

    func chance(_ probability: Double) -> Bool {
        isQuiet || probability == 0 ? false : Double.random(in: 0..<1, using: &random) < probability
    }

    func uniform(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &random) }

    var encodesMessages: Bool { faults.damage > 0 || seed % 8 == 0 }

    /// Faults are over.
    var isQuiet: Bool { now.nanoseconds > Int64(faults.until * 1e9) }

    /// Lets something happen again and again, at random times, while faults last.
    private func recur(every mean: Double?, _ body: @escaping () -> Void) {
        guard let mean else { return }
        let pause = -log(uniform(1e-9...1)) * mean * 1000
        schedule(after: pause) { [unowned self] in
            if isQuiet { return }
            body()
            recur(every: mean, body)
        }
    }

    func note(_ line: @autoclosure () -> String) {
        guard keepsHistory else { return }
        history.append("\(Double(now.nanoseconds) / 1e9) \(line())")
    }

    func count(_ what: String) { statistics[what, default: 0] += 1 }

    func violate(_ message: String) {
        violations.append("at \(Double(now.nanoseconds) / 1e9) s: \(message)")
    }

    // MARK: Running

    /// Runs to the end of the job; returns what was violated.
    func run() -> [String] {
        startCoordinator()
        for _ in 0..<job.workers { startWorker() }
        recur(every: faults.workerJoinEvery) { [unowned self] in if workers.count < 8 { startWorker() } }
        recur(every: faults.workerCrashEvery) { [unowned self] in
            workers.randomElement(using: &random)?.crash()
        }
        recur(every: faults.workerPauseEvery) { [unowned self] in
            workers.randomElement(using: &random)?.pause(for: uniform(10...12000))
        }
        recur(every: faults.workerDrainEvery) { [unowned self] in
            workers.randomElement(using: &random)?.handle(.stop)
        }
        recur(every: faults.breakEvery) { [unowned self] in
            workers.randomElement(using: &random)?.breakLink()
        }
        recur(every: faults.partitionEvery) { [unowned self] in
            let isWhole = Bool.random(using: &random)
            workers.randomElement(using: &random)?.partition(
                for: uniform(10...20000), channels: isWhole ? [.control, .heartbeat] : [.control])
        }
        recur(every: faults.peerBreakEvery) { [unowned self] in
            workers.randomElement(using: &random)?.exchange.breakLink()
        }
        recur(every: faults.pairPartitionEvery) { [unowned self] in
            let pair = Set(workers.map(\.port).shuffled(using: &random).prefix(2))
            let until = Moment(nanoseconds: now.nanoseconds + Int64(uniform(10...60000) * 1e6))
            note("workers \(pair) are cut off from each other until \(until)")
            count("partitions between workers")
            partitionedPairs[pair] = until
        }
        recur(every: faults.coordinatorCrashEvery) { [unowned self] in crashCoordinator() }
        recur(every: faults.coordinatorPauseEvery) { [unowned self] in
            coordinator?.pause(for: uniform(10...10000))
        }
        while let next = queue.next(), violations.isEmpty {
            now = next.time
            events += 1
            next.body()
            if isDone, workers.isEmpty || now.nanoseconds > doneBy { break }
            if events > 3_000_000 || now.nanoseconds > 40_000 * 1_000_000_000 {
                violate("the job does not end")
            }
        }
        return violations
    }

    private var doneBy = Int64.max

    /// All passes are done; what is left is to see that the workers leave.
    func jobIsDone() {
        isDone = true
        doneBy = now.nanoseconds + 120 * 1_000_000_000
    }

    private func startCoordinator() {
        count("coordinator starts")
        let coordinator = SimulatedCoordinator(simulation: self)
        self.coordinator = coordinator
        coordinator.start()
    }

    private func crashCoordinator() {
        guard let coordinator, !isDone else { return }
        note("coordinator crashes")
        coordinator.isAlive = false
        self.coordinator = nil
        for worker in workers { worker.coordinatorCrashed(isNoticed: chance(0.8)) }
        schedule(after: uniform(10...8000)) { [unowned self] in startCoordinator() }
    }

    func startWorker() {
        workersStarted += 1
        let worker = SimulatedWorker(
            simulation: self, name: "w\(workersStarted)", lanes: Int.random(in: job.lanes, using: &random),
            port: workersStarted, computesOtherBits: disk.probe != nil && chance(faults.otherBits))
        workers.append(worker)
        worker.start()
    }

    /// A worker's process has ended; whoever launched it starts another.
    func workerEnded(_ worker: SimulatedWorker) {
        workers.removeAll { $0 === worker }
        for other in workers { other.exchange.peerEnded(port: worker.port) }
        guard !isDone else { return }
        // Someone always comes back, or the job could not end.
        if workers.isEmpty || Bool.random(using: &random) {
            schedule(after: uniform(10...5000)) { [unowned self] in if !isDone { startWorker() } }
        }
    }

    /// The worker whose process other workers reach at a port.
    func worker(port: Int) -> SimulatedWorker? { workers.first { $0.port == port && $0.isAlive } }

    /// Milliseconds for which nothing comes through between two workers.
    func isolation(_ one: Int, _ other: Int) -> Double {
        guard let until = partitionedPairs[[one, other]], until > now else { return 0 }
        return Double((until - now).nanoseconds) / 1e6
    }

    /// Whether a worker's state is damaged as it takes a step with others.
    func corrupts(participants: Int) -> Bool {
        guard !hasCorrupted, participants > 1, chance(faults.corruption) else { return false }
        hasCorrupted = true
        count(participants > 2 ? "damaged states of many" : "damaged states of two")
        return true
    }

    // MARK: What is computed

    /// The state of a training that nothing disturbs, after each number of steps.
    private(set) lazy var expectedReplicas: [SimulatedReplica] = {
        var replicas = [SimulatedReplica(value: CounterRandom.number(2, seed))]
        for step in 0..<job.steps {
            let sums = (0..<job.parts).map { part in
                (0..<job.slots).reduce(0 as UInt64) { $0 &+ replicas[step].contribution(slot: $1, part: part) }
            }
            replicas.append(replicas[step].stepped(sums: sums))
        }
        return replicas
    }()

    /// The bytes of a shard: of random size, to be cut into chunks.
    func payload(pass: Int, shard: Int) -> Data {
        var random = CounterRandom(key: seed, 1, UInt64(pass), UInt64(shard))
        let size = Int.random(in: 0...200, using: &random)
        return Data((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
    }

    static func result(pass: Int, shard: Int, payload: Data) -> Data {
        var random = CounterRandom(key: 3, UInt64(pass), UInt64(shard), payload.reduce(0) { $0 &* 31 &+ UInt64($1) })
        let size = Int.random(in: 16...300, using: &random)
        return Data((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
    }

    /// What one worker alone would have come to.
    func expectedState(pass: Int) -> SimulatedReducer {
        var reducer = SimulatedReducer()
        for shard in 0..<job.shards {
            reducer.merge(
                shard: shard, result: Self.result(pass: pass, shard: shard, payload: payload(pass: pass, shard: shard)))
        }
        return reducer
    }
}

/// Adds results up in a way that shows every omission and repetition.
struct SimulatedReducer: Equatable {
    var sum: UInt64 = 0
    var merged: [Int: Int] = [:]

    mutating func merge(shard: Int, result: Data) {
        merged[shard, default: 0] += 1
        sum &+= result.reduce(UInt64(shard) &+ 1) { ($0 &* 0x100_0000_01B3) ^ UInt64($1) }
    }
}

/// What survives a coordinator's crash.
struct SimulatedDisk {
    struct Pass {
        var reducer = SimulatedReducer()
        var committed: [Int: SHA256Digest] = [:]
        var isFinished = false
    }

    var epoch: UInt32 = 0
    /// What the first worker came to.
    var probe: ProbeAnswer?
    var passes: [Int: Pass] = [:]
    /// Of a training, the last.
    var checkpoint: SimulatedReplica?
}

extension Simulation.Job {
    /// - Parameter trains: whether it trains.
    init(_ random: inout CounterRandom, trains: Bool) {
        self.init()
        func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        passes = trains ? int(0...1) : int(1...3)
        shards = trains ? int(0...4) : int(0...40)
        shardTime = 1...int(2...(trains ? 2000 : 4000))
        workers = int(1...5)
        guard trains else { return }
        steps = int(1...8)
        slots = int(1...12)
        parts = int(1...8)
        checkpointEvery = int(1...6)
        setUpTime = Double(int(1...400))
        stepTime = Double(int(1...400))
    }
}
