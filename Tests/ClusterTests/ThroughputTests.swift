import Cluster
import ClusterProtocol
import Foundation
import Glibc
import Testing

/// Not a test of right or wrong: prints what moving payloads costs. Run it alone, in a release build, with
/// QUANTSIM_MEASURE=1.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["QUANTSIM_MEASURE"] != nil))
struct ThroughputTests {
    /// Counts nothing, so that only the transport costs.
    private struct NothingFactory: PassExecutorFactory, ShardExecutor, ShardLane {
        let resultSize: Int

        func makeExecutor(
            descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data
        ) throws -> any ShardExecutor { self }

        func prepare(shard: Int, payload: Data) throws -> Int { payload.count }

        func makeLane(keeping memory: LaneMemory) throws -> Self { self }

        func compute(_ size: Int) throws -> Data { Data(count: resultSize) }
    }

    private struct Repeating: ShardSource {
        let payload: Data
        var left: Int
        let count: Int

        mutating func next() throws -> Shard? {
            guard left > 0 else { return nil }
            defer { left -= 1 }
            return Shard(index: count - left, sampleCount: 1, payload: payload)
        }
    }

    private struct Nothing: ResultReducer {
        mutating func merge(shard: Int, samples: Int, result: Data) throws {}
        func state() -> Data { Data() }
        mutating func restore(_ state: Data) {}
    }

    @Test(arguments: [
        (1000, 100, 20000), (98_304, 50_000, 5000), (602_112, 100_000, 3000), (4_816_896, 1_000_000, 500),
    ]) func payloads(payloadSize: Int, resultSize: Int, shards: Int) async throws {
        try await onThread {
            var configuration = Toy.coordinator()
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("t-\(UUID().uuidString)").path
            configuration.journalPath = path
            let coordinator = try Coordinator(configuration: configuration)
            let workers = (0..<2).map { _ in
                RunningWorker(
                    Toy.worker(coordinator.boundEndpoint, lanes: 1), factory: NothingFactory(resultSize: resultSize))
            }
            let before = clock()
            let outcome = try coordinator.run(
                pass: PassDescription(name: "move", descriptor: Data()),
                source: Repeating(payload: Data(count: payloadSize), left: shards, count: shards), reducer: Nothing())
            let seconds = Double(clock() - before) / Double(CLOCKS_PER_SEC)
            coordinator.finish()
            for worker in workers { _ = try worker.exit() }
            try FileManager.default.removeItem(atPath: path)
            let perSecond = Double(shards) / outcome.seconds
            print(
                "payload \(payloadSize) B, result \(resultSize) B: \(Int(perSecond)) shards/s,",
                "\(Int(perSecond * Double(payloadSize) / 1e6)) MB/s,",
                "\(Int(seconds / Double(shards) * 1e6)) us of processor time a shard, both sides together")
        }
    }
}
