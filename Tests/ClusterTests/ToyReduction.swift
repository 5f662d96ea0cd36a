import Cluster
import ClusterProtocol
import Foundation
import Messaging
import Support
import Synchronization

/// Sums of 64-bit numbers, one a part.
final class ToyReduction: PartReduction {
    private struct State {
        var sums: [UInt64]
        var shards: [Set<Int>]
        var others: [UInt64]
        var results: [UInt64?]
        var progress: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>
    let partCount: Int

    init(parts: Int) {
        partCount = parts
        state = Mutex(
            State(
                sums: Array(repeating: 0, count: parts), shards: Array(repeating: [], count: parts),
                others: Array(repeating: 0, count: parts), results: Array(repeating: nil, count: parts)))
    }

    static func bytes(_ number: UInt64) -> Data { withUnsafeBytes(of: number) { Data($0) } }

    static func number(_ bytes: Data) throws -> UInt64 {
        guard bytes.count == 8 else { throw ShardFailure(permanent: true, code: "size") }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }

    /// What a shard adds.
    static func share(_ shard: Int, _ part: Int) -> UInt64 { UInt64(shard + 1) << 20 | UInt64(part * part + 1) }

    static func digest(shards: Int, parts: Int) -> Data {
        (0..<parts).reduce(into: Data()) { data, part in
            data += bytes((0..<shards).reduce(0) { $0 &+ share($1, part) })
        }
    }

    func compute(_ shard: Int, parts: Range<Int>? = nil) {
        for part in parts ?? 0..<partCount {
            let progress = state.withLock { state in
                state.sums[part] &+= Self.share(shard, part)
                state.shards[part].insert(shard)
                return state.progress
            }
            progress?()
        }
    }

    func observe(_ progress: @escaping @Sendable () -> Void) { state.withLock { $0.progress = progress } }
    func isComplete(part: Int, shards: Set<Int>) -> Bool { state.withLock { $0.shards[part] == shards } }
    func contribution(part: Int) -> Data { state.withLock { Self.bytes($0.sums[part]) } }
    func beginReducing(part: Int) { state.withLock { $0.others[part] = 0 } }

    func add(_ contribution: Data, to part: Int) throws {
        let number = try Self.number(contribution)
        state.withLock { $0.others[part] &+= number }
    }

    func reduced(part: Int) -> Data {
        state.withLock { state in
            let sum = state.sums[part] &+ state.others[part]
            state.results[part] = sum
            return Self.bytes(sum)
        }
    }

    func install(_ reduced: Data, part: Int) throws {
        let number = try Self.number(reduced)
        state.withLock { $0.results[part] = number }
    }

    func finish() throws -> Data {
        try state.withLock { state in
            try state.results.reduce(into: Data()) { data, result in
                guard let result else { throw ShardFailure(permanent: true, code: "missing") }
                data += Self.bytes(result)
            }
        }
    }
}

extension ExchangePlan {
    /// Shards go round.
    static func toy(
        _ peers: [PeerID], endpoints: [String] = [], shards: Int, pass: Int = 0, attempt: Int = 1
    ) -> ExchangePlan {
        ExchangePlan(
            pass: pass, attempt: attempt,
            roster: peers.enumerated().map { place, peer in
                .init(
                    peer: peer, endpoint: endpoints.isEmpty ? "" : endpoints[place],
                    shards: Array(stride(from: place, to: shards, by: peers.count)))
            })
    }
}
