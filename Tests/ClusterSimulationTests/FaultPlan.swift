import Tensors

/// What goes wrong in a simulation, drawn from its seed: each kind of fault is on in some seeds and off in others, so
/// that the kinds meet in all combinations.
struct FaultPlan: CustomStringConvertible {
    /// Of single messages, which a TCP connection does not do, but the protocol must survive.
    var loss = 0.0
    var duplication = 0.0
    var damage = 0.0
    /// Of a message, in milliseconds; more than its base reorders messages.
    var delay = 0.1
    var jitter = 0.0
    /// Mean times between faults, in seconds; nil for never.
    var breakEvery: Double?
    var partitionEvery: Double?
    var workerCrashEvery: Double?
    var workerPauseEvery: Double?
    var workerJoinEvery: Double?
    var workerDrainEvery: Double?
    var coordinatorCrashEvery: Double?
    var coordinatorPauseEvery: Double?
    /// Of a shard's computation.
    var hang = 0.0
    var failure = 0.0
    var setUpFailure = 0.0
    /// Of a result, between its digest and the merge.
    var resultDamage = 0.0
    /// Of connections between workers, and between single pairs of them.
    var peerBreakEvery: Double?
    var pairPartitionEvery: Double?
    /// Of a worker's state as it takes a step, once a history: the others must outvote it.
    var corruption = 0.0
    /// Of a worker's machine, to compute other bits than those of the workers before.
    var otherBits = 0.0
    /// Nothing goes wrong after that many seconds: then the job must come to its end.
    var until = 120.0

    static let none = FaultPlan()

    init() {}

    init(_ random: inout CounterRandom) {
        func maybe<Value>(_ value: Value, else other: Value) -> Value {
            Bool.random(using: &random) ? value : other
        }
        func uniform(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &random) }
        delay = uniform(0.05...20)
        jitter = maybe(0, else: maybe(uniform(0...5), else: uniform(0...200)))
        // Reordering within a connection ends sessions; often enough, nothing would get done.
        if jitter > 0 { jitter = min(jitter, maybe(jitter, else: delay)) }
        loss = maybe(0, else: uniform(0...0.01))
        duplication = maybe(0, else: uniform(0...0.05))
        damage = maybe(0, else: maybe(0, else: uniform(0...0.01)))
        breakEvery = maybe(nil, else: uniform(1...30))
        partitionEvery = maybe(nil, else: uniform(5...60))
        workerCrashEvery = maybe(nil, else: uniform(1...60))
        workerPauseEvery = maybe(nil, else: uniform(2...60))
        workerJoinEvery = maybe(nil, else: uniform(5...60))
        workerDrainEvery = maybe(nil, else: uniform(5...60))
        coordinatorCrashEvery = maybe(nil, else: uniform(2...60))
        coordinatorPauseEvery = maybe(nil, else: uniform(5...60))
        hang = maybe(0, else: maybe(0, else: uniform(0...0.03)))
        failure = maybe(0, else: uniform(0...0.05))
        setUpFailure = maybe(0, else: maybe(0, else: uniform(0...0.2)))
        resultDamage = maybe(0, else: maybe(0, else: uniform(0...0.02)))
        otherBits = maybe(0, else: uniform(0...0.5))
        until = uniform(1...240)
    }

    /// Of a job that trains.
    init(ofTraining random: inout CounterRandom) {
        self.init(&random)
        func every(_ range: ClosedRange<Double>) -> Double? {
            Bool.random(using: &random) ? Double.random(in: range, using: &random) : nil
        }
        peerBreakEvery = every(1...60)
        pairPartitionEvery = every(5...60)
        guard Int.random(in: 0..<8, using: &random) == 0 else { return }
        // With whom would a wrong state agree, if all others were gone? So nothing that ends sessions, as jitter does.
        let gentle = (delay, duplication, failure)
        self = FaultPlan()
        (delay, duplication, failure) = gentle
        corruption = Double.random(in: 0.05...0.5, using: &random)
    }

    var description: String {
        Mirror(reflecting: self).children.compactMap { child in
            child.label.map { "\($0): \(child.value)" }
        }.joined(separator: ", ")
    }
}
