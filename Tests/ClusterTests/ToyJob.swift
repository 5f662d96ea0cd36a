import Cluster
import ClusterProtocol
import Foundation
import Logging
import Messaging
import Synchronization
import Tensors

/// A pass that counts byte values: the result of a shard is the histogram of its payload, as the real statistics are.
struct HistogramFactory: PassExecutorFactory {
    var behaviour: @Sendable (_ shard: Int) throws -> Void = { _ in }
    var onSetUp: @Sendable (_ descriptor: Data, _ isa: String, _ artifacts: [Data]) throws -> Void = { _, _, _ in }
    var artifacts: [ArtifactID] = []

    func makeExecutor(
        descriptor: Data, isa: String, artifacts fetch: (ArtifactID) throws -> Data
    ) throws -> any ShardExecutor {
        try onSetUp(descriptor, isa, artifacts.map { try fetch($0) })
        return HistogramExecutor(behaviour: behaviour)
    }
}

struct HistogramExecutor: ShardExecutor {
    let behaviour: @Sendable (_ shard: Int) throws -> Void

    struct Prepared: Sendable {
        let shard: Int
        let payload: Data
    }

    struct Lane: ShardLane {
        let behaviour: @Sendable (_ shard: Int) throws -> Void

        func compute(_ prepared: Prepared) throws -> Data {
            try behaviour(prepared.shard)
            return ByteHistogram(of: prepared.payload).encoded
        }
    }

    func prepare(shard: Int, payload: Data) throws -> Prepared { Prepared(shard: shard, payload: payload) }

    func makeLane(keeping memory: LaneMemory) throws -> Lane { Lane(behaviour: behaviour) }
}

struct ByteHistogram: Equatable, ResultReducer {
    var counts = [UInt64](repeating: 0, count: 256)

    init() {}

    init(of data: Data) {
        data.withUnsafeBytes { bytes in
            counts.withUnsafeMutableBufferPointer { counts in
                for byte in bytes { counts[Int(byte)] += 1 }
            }
        }
    }

    var encoded: Data { counts.withUnsafeBytes { Data($0) } }

    mutating func merge(shard: Int, samples: Int = 3, result: Data) {
        let other = [UInt8](result).withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) }
        for index in counts.indices { counts[index] += other[index] }
    }

    func state() -> Data { encoded }

    mutating func restore(_ state: Data) {
        self = ByteHistogram()
        merge(shard: 0, result: state)
    }
}

/// Shards of pseudo-random bytes.
struct RandomShards: ShardSource {
    let shards: Int
    let payloadSize: Int
    var position = 0
    var onRead: @Sendable (Int) throws -> Void = { _ in }

    init(_ shards: Int, payloadSize: Int, onRead: @escaping @Sendable (Int) throws -> Void = { _ in }) {
        self.shards = shards
        self.payloadSize = payloadSize
        self.onRead = onRead
    }

    static func payload(_ shard: Int, size: Int) -> Data {
        var random = CounterRandom(key: 7, UInt64(shard))
        var data = Data(count: size)
        data.withUnsafeMutableBytes { bytes in
            for offset in stride(from: 0, to: size - 7, by: 8) {
                bytes.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
            }
        }
        return data
    }

    mutating func next() throws -> Shard? {
        guard position < shards else { return nil }
        try onRead(position)
        defer { position += 1 }
        return Shard(index: position, sampleCount: 3, payload: Self.payload(position, size: payloadSize))
    }

    mutating func skip() throws -> Bool {
        guard position < shards else { return false }
        position += 1
        return true
    }

    static func expected(_ shards: Int, payloadSize: Int) -> Data {
        var histogram = ByteHistogram()
        for shard in 0..<shards {
            histogram.merge(shard: shard, result: ByteHistogram(of: payload(shard, size: payloadSize)).encoded)
        }
        return histogram.encoded
    }
}

/// A worker on a thread of its own.
final class RunningWorker: Sendable {
    let worker: Worker
    private let ended = DispatchSemaphore(value: 0)
    private let result = Mutex<Result<WorkerExit, any Error>?>(nil)

    init(_ configuration: WorkerConfiguration, factory: any PassExecutorFactory = HistogramFactory()) {
        worker = Worker(configuration: configuration, factory: factory)
        let thread = Thread { [self] in
            let outcome = Result { try worker.run() }
            result.withLock { $0 = outcome }
            ended.signal()
        }
        thread.start()
    }

    /// Nil when it has not ended in time.
    func exit(within seconds: Double = 20) throws -> WorkerExit? {
        guard ended.wait(timeout: .now() + seconds) == .success else { return nil }
        ended.signal()
        return try result.withLock { try $0?.get() }
    }
}

/// Runs blocking work off Swift's pool.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try body() }) }.start()
    }
}

enum Toy {
    static let identity = ComputeIdentity(library: "toy 1", supportedISAs: ["plain", "wide"])

    static func coordinator(_ endpoint: String = "tcp://127.0.0.1:*") -> CoordinatorConfiguration {
        var configuration = CoordinatorConfiguration(endpoint: endpoint, library: "toy 1", isa: "plain")
        configuration.logger.logLevel = .error
        return configuration
    }

    static func worker(_ endpoint: String, lanes: Int = 2) -> WorkerConfiguration {
        var configuration = WorkerConfiguration(endpoint: endpoint, lanes: lanes, compute: identity)
        configuration.logger.logLevel = .error
        return configuration
    }
}
