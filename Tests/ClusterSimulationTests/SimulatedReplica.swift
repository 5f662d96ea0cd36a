import ClusterProtocol
import Foundation
import Messaging
import Support
import Tensors

/// The state of a simulated training: a number that depends on every contribution of every step before.
struct SimulatedReplica: Equatable {
    var value: UInt64
    /// Steps taken.
    var step = 0

    /// In bytes; as chunks of 64, more than one.
    static let size = 150
    /// Of the bytes, the shards of a pass that fetches them.
    static let stretches = 2

    static func stretch(_ index: Int, of bytes: Data) -> Data {
        let size = bytes.count / stretches
        return Data(bytes.dropFirst(index * size).prefix(size))
    }

    var encoded: Data {
        var data = Data(repeating: 0, count: Self.size)
        data.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: value, as: UInt64.self)
            bytes.storeBytes(of: UInt64(step), toByteOffset: 8, as: UInt64.self)
        }
        return data
    }

    init(value: UInt64) {
        self.value = value
    }

    init?(decoding data: Data) {
        guard data.count == Self.size else { return nil }
        let numbers = data.withUnsafeBytes { bytes in
            (0..<2).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) }
        }
        value = numbers[0]
        step = Int(truncatingIfNeeded: numbers[1])
    }

    var digest: Data { Self.bytes(CounterRandom.number(12, value, UInt64(step))) }

    /// What a slot adds to a part of the next step.
    func contribution(slot: Int, part: Int) -> UInt64 {
        CounterRandom.number(11, value, UInt64(step), UInt64(slot), UInt64(part))
    }

    /// What else a slot tells.
    func summary(slot: Int) -> Data {
        var random = CounterRandom(key: 13, value, UInt64(step), UInt64(slot))
        return Data(
            (0..<Int.random(in: 1...100, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
    }

    /// Takes the next step.
    /// - Parameter sums: of the contributions of all slots, by part.
    func stepped(sums: [UInt64]) -> SimulatedReplica {
        var next = self
        next.value = sums.reduce(value) { CounterRandom.number(14, $0, $1) }
        next.step += 1
        return next
    }

    static func bytes(_ number: UInt64) -> Data { withUnsafeBytes(of: number.littleEndian) { Data($0) } }

    static func number(_ bytes: Data) -> UInt64? {
        bytes.count == 8 ? bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) } : nil
    }
}

extension CounterRandom {
    /// One number that depends on all of the key.
    static func number(_ kind: UInt64, _ parts: UInt64...) -> UInt64 {
        var hash = kind
        for part in parts {
            var random = CounterRandom(key: hash, part)
            hash = random.next()
        }
        return hash
    }
}

/// What a pass is for; the descriptor stands for it.
enum SimulatedTask: Equatable {
    /// One of the job's journaled passes.
    case pass(Int)
    case step(Int, state: Data, snapshot: ArtifactID?, isReduced: Bool)
    /// Fetches the state.
    case state(Data)

    var descriptor: Data {
        switch self {
        case .pass(let pass): SimulatedCoordinator.descriptor(ofPass: pass)
        case .step(let step, let state, let snapshot, let isReduced):
            Data("step \(step) \(isReduced) ".utf8) + state + (snapshot?.bytes ?? Data())
        case .state(let digest): Data("state ".utf8) + digest
        }
    }
}

/// What the lanes of one worker contribute to a step, as `ReplicatedStep` keeps it.
final class SimulatedReduction {
    let replica: SimulatedReplica
    private var sums: [UInt64]
    private var slots: [Set<Int>]
    private var others: [UInt64]
    private var results: [UInt64?]
    /// Once the step is taken.
    var outcome: Data?

    init(_ replica: SimulatedReplica, parts: Int) {
        self.replica = replica
        sums = [UInt64](repeating: 0, count: parts)
        slots = [Set<Int>](repeating: [], count: parts)
        others = sums
        results = [UInt64?](repeating: nil, count: parts)
    }

    var partCount: Int { sums.count }

    func add(slot: Int, part: Int) {
        sums[part] &+= replica.contribution(slot: slot, part: part)
        slots[part].insert(slot)
    }

    func isComplete(part: Int, shards: Set<Int>) -> Bool { slots[part] == shards }
    func contribution(part: Int) -> Data { SimulatedReplica.bytes(sums[part]) }
    func beginReducing(part: Int) { others[part] = 0 }
    func add(_ contribution: Data, to part: Int) { others[part] &+= SimulatedReplica.number(contribution) ?? 0 }

    func reduced(part: Int) -> Data {
        results[part] = sums[part] &+ others[part]
        return SimulatedReplica.bytes(sums[part] &+ others[part])
    }

    func install(_ reduced: Data, part: Int) { results[part] = SimulatedReplica.number(reduced) }

    /// The state after the step; nil where a part is missing.
    var stepped: SimulatedReplica? {
        let whole = results.compactMap(\.self)
        return whole.count == results.count ? replica.stepped(sums: whole) : nil
    }
}
