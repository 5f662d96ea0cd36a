import Cluster
import ClusterProtocol
import Foundation
import Support

/// The state of a training on its way from the workers that hold it to the coordinator, which needs it for checkpoints,
/// evaluation and workers that come new: a pass whose shards are stretches of the state's bytes. Any worker that holds the
/// state can give any of them.
package struct StateTransfer: Workload {
    /// As in descriptors.
    package static let name = "state"

    /// Digest of the state.
    package var state: Data

    /// - Parameter state: its digest, 32 bytes.
    package init(of state: Data) { self.state = state }

    /// None: nothing is computed.
    package func probeSubject() -> SHA256Digest? { nil }

    /// None.
    package func probe(_ worker: WorkerContext) -> SHA256Digest? { nil }

    /// - Throws: `ShardFailure` of the code `stateMissing` where the worker does not hold the state.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        StateExecutor(bytes: try TrainingWorkspace.of(worker.memory).replica(state).encoded())
    }
}

/// The stretches.
package struct StateStretches: ShardSource {
    /// In bytes: a fraction of a second on a slow network.
    private static let stretch = 4 << 20
    private let size: Int
    private var index = 0

    /// - Parameter size: of the state, in bytes.
    package init(size: Int) {
        self.size = size
    }

    /// At least one.
    package var count: Int { max(1, (size + Self.stretch - 1) / Self.stretch) }

    /// A stretch's ends; it has no samples.
    package mutating func next() throws -> Shard? {
        guard index < count else { return nil }
        defer { index += 1 }
        let start = index * Self.stretch
        return Shard(
            index: index, sampleCount: 0, payload: ByteWriter(counts: [start, min(start + Self.stretch, size)]).data)
    }
}

/// Puts the stretches together.
package struct StateReducer: ResultReducer {
    private var stretches: [Int: Data] = [:]

    /// Before the first stretch.
    package init() {}

    /// Takes a stretch under its number.
    package mutating func merge(shard: Int, samples: Int, result: Data) throws { stretches[shard] = result }

    /// The stretches in order, which is the state when all are there.
    package func state() -> Data {
        stretches.sorted { $0.key < $1.key }.reduce(into: Data()) { $0.append($1.value) }
    }

    /// Always throws: a state is fetched anew, never gone on from.
    package mutating func restore(_ state: Data) throws {
        throw ByteCodingError(.malformed, record: "state", found: "a pass that is not journaled")
    }
}

/// Gives stretches of the state that a worker holds.
private struct StateExecutor: ShardExecutor, ShardLane {
    let bytes: Data

    func prepare(shard: Int, payload: Data) throws -> Range<Int> {
        var reader = ByteReader(payload, record: "stretch")
        guard let ends = try? reader.takeCounts(2), ends[0] <= ends[1], ends[1] <= bytes.count else {
            throw ShardFailure(permanent: true, code: "stretch")
        }
        return ends[0]..<ends[1]
    }

    func makeLane(keeping memory: LaneMemory) throws -> StateExecutor { self }

    func compute(_ stretch: Range<Int>) throws -> Data {
        bytes[bytes.startIndex + stretch.lowerBound..<bytes.startIndex + stretch.upperBound]
    }
}
