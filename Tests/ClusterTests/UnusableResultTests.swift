import Cluster
import ClusterProtocol
import Foundation
import Testing

/// Results that no worker computes: the worker that sends them is expelled, and the job goes on with others.
@Suite struct UnusableResultTests {
    /// Counts bytes; results of another size are no histograms.
    private struct Strict: ResultReducer {
        var histogram = ByteHistogram()
        mutating func merge(shard: Int, samples: Int, result: Data) throws {
            guard result.count == 2048, samples == 3 else { throw UnusableResult("\(result.count) bytes") }
            histogram.merge(shard: shard, result: result)
        }
        func state() -> Data { histogram.encoded }
        mutating func restore(_ state: Data) { histogram.restore(state) }
    }

    private struct Liar: PassExecutorFactory, ShardExecutor, ShardLane {
        func makeExecutor(
            descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data
        ) throws -> any ShardExecutor { self }
        func prepare(shard: Int, payload: Data) throws -> Int { shard }
        func makeLane(keeping memory: LaneMemory) throws -> Liar { self }
        func compute(_ prepared: Int) throws -> Data { Data([1, 2, 3]) }
    }

    @Test func itsWorkerIsExpelledAndAnotherComputesTheShard() async throws {
        try await onThread {
            let coordinator = try Coordinator(configuration: Toy.coordinator())
            let liar = RunningWorker(Toy.worker(coordinator.boundEndpoint), factory: Liar())
            let honest = Thread {
                // Once the liar has had shards.
                _ = try? liar.exit()
                let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint))
                _ = try? worker.exit()
            }
            honest.start()
            let outcome = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data()), source: RandomShards(20, payloadSize: 100),
                reducer: Strict())
            #expect(outcome.state == RandomShards.expected(20, payloadSize: 100))
            #expect(outcome.samples == 60)
            #expect(try liar.exit() == .expelled("expelled"))
            coordinator.finish()
        }
    }
}
