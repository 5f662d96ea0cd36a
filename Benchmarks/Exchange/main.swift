import Cluster
import ClusterProtocol
import Foundation
import Messaging
import Tensors
import Training

// One worker of an exchange of gradients, without the rest of a training: how long it takes from the moment that every worker
// has its sums until all have the reduced gradient, and which share of the bandwidth bound 2 (N - 1) / N * bytes / line that
// is. Start one process for each worker:
//
//     exchange INDEX ADDRESS:PORT,ADDRESS:PORT,... [BYTES] [LINE BITS PER SECOND] [REPEATS] [16]
//
// INDEX counts from 0; worker 0 prints a line of JSON. BYTES are those of the gradient as float32; 16 asks for 16-bit
// gradients. `exchange.sh` lays hosts out and does all of it.

struct Arguments {
    var index = 0
    var endpoints: [String] = []
    var bytes = 44_000_000
    var line = 1e9
    var repeats = 5
    var precision = GradientPrecision.full

    init?(_ words: [String]) {
        guard words.count >= 3, let index = Int(words[1]) else { return nil }
        self.index = index
        endpoints = words[2].split(separator: ",").map { "tcp://\($0)" }
        if words.count > 3 { bytes = Int(words[3]) ?? 0 }
        if words.count > 4 { line = Double(words[4]) ?? 0 }
        if words.count > 5 { repeats = Int(words[5]) ?? 0 }
        if words.count > 6 { precision = words[6] == "16" ? .half : .full }
        guard endpoints.indices.contains(index), bytes >= 4, line > 0, repeats > 0 else { return nil }
    }
}

/// Sums that are there before the clock starts; the step is left out.
final class GivenGradient: PartReduction {
    let parts: GradientParts

    init(_ parts: GradientParts) { self.parts = parts }

    var partCount: Int { parts.partCount }
    func observe(_ progress: @escaping @Sendable () -> Void) {}
    func isComplete(part: Int, shards: Set<Int>) -> Bool { parts.isComplete(part: part, slots: shards) }
    func contribution(part: Int) throws -> Data { parts.contribution(part: part) }
    func beginReducing(part: Int) throws { parts.beginReducing(part: part) }
    func add(_ contribution: Data, to part: Int) throws { try parts.add(contribution, to: part) }
    func reduced(part: Int) throws -> Data { try parts.reduced(part: part) }
    func install(_ reduced: Data, part: Int) throws { try parts.install(reduced, part: part) }
    func finish() throws -> Data { Data() }
}

func gradient(slots: [Int], count: Int, precision: GradientPrecision) throws -> GradientParts {
    let parts = GradientParts(count: count, precision: precision)
    for slot in slots {
        var random = CounterRandom(key: 1, UInt64(slot))
        var writer = SlotGradient(of: slot, to: parts)
        for start in stride(from: 0, to: count, by: 1 << 16) {
            // Sums of four uniform numbers, which is normal enough and quick to make.
            let stretch = (start..<min(start + 1 << 16, count)).map { _ -> Float in
                let bits = random.next()
                return
                    (Float(bits & 0xFFFF) + Float(bits >> 16 & 0xFFFF) + Float(bits >> 32 & 0xFFFF)
                    + Float(bits >> 48) - 131_070) * 1e-8
            }
            try stretch.withUnsafeBufferPointer { try writer.take($0, at: start) }
        }
    }
    return parts
}

func run(_ arguments: Arguments) throws {
    let workers = arguments.endpoints.count
    let roster = arguments.endpoints.enumerated().map { index, endpoint in
        ExchangePlan.Participant(
            peer: PeerID(worker: "worker-\(index)", incarnation: 1), endpoint: endpoint,
            shards: [2 * index, 2 * index + 1])
    }
    var configuration = Exchange.Configuration()
    configuration.port = Int(arguments.endpoints[arguments.index].split(separator: ":").last ?? "") ?? 0
    configuration.patience = .seconds(60)
    let outcomes = Outcomes()
    let exchange = try Exchange(configuration) { outcomes.put($0) }
    let own = roster[arguments.index]
    let whole = try GivenGradient(
        gradient(slots: own.shards, count: arguments.bytes / 4, precision: arguments.precision))
    // A part for each worker: nobody has it before all have begun.
    let barrier = try GivenGradient(
        gradient(slots: own.shards, count: workers * GradientParts.partSize, precision: arguments.precision))
    var times: [Double] = []
    for pass in 0...2 * arguments.repeats + 1 {
        let isBarrier = pass.isMultiple(of: 2)
        let began = ContinuousClock.now
        exchange.start(
            ExchangePlan(pass: pass, attempt: 1, roster: roster), own: own.peer, reduction: isBarrier ? barrier : whole)
        try outcomes.wait(pass: pass)
        // The first exchange warms up.
        if !isBarrier, pass > 1 { times.append((ContinuousClock.now - began) / .seconds(1)) }
        // A coordinator would wait until all have reported: the next attempt ends this one, and others may still be owed parts.
        Thread.sleep(forTimeInterval: 0.25)
    }
    exchange.close()
    guard arguments.index == 0 else { return }
    let median = times.sorted()[times.count / 2]
    let bound = 2 * Double(workers - 1) / Double(workers) * Double(arguments.bytes) * 8 / arguments.line
    print(
        String(
            format:
                #"{"what": "quantsim exchange", "world": %d, "bytes": %d, "bits": %d, "median_seconds": %.4f, "bound_seconds": %.4f, "share_of_bound": %.3f}"#,
            workers, arguments.bytes, arguments.precision.rawValue, median, bound, bound / median))
}

/// Hands outcomes from the exchange's thread to the main one.
final class Outcomes: Sendable {
    private let condition = NSCondition()
    nonisolated(unsafe) private var all: [ExchangeOutcome] = []

    func put(_ outcome: ExchangeOutcome) {
        condition.lock()
        all.append(outcome)
        condition.signal()
        condition.unlock()
    }

    func wait(pass: Int) throws {
        condition.lock()
        defer { condition.unlock() }
        while true {
            while all.isEmpty { condition.wait() }
            switch all.removeFirst() {
            case .exchanged(_, pass, _, _): return
            case .exchanged: continue
            case .failed(_, _, _, let peers, let reason):
                throw ClusterError(.endpoint, expected: "an exchange", found: "\(reason) \(peers)")
            }
        }
    }
}

guard let arguments = Arguments(CommandLine.arguments) else {
    print("usage: exchange INDEX ADDRESS:PORT,... [BYTES] [LINE BITS PER SECOND] [REPEATS] [16]")
    exit(2)
}
do {
    try run(arguments)
} catch {
    print("exchange \(arguments.index): \(error)")
    exit(1)
}
