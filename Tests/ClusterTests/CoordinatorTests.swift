import Cluster
import Foundation
import Testing

@Suite(.serialized) struct CoordinatorTests {
    @Test(arguments: ["tcp://127.0.0.1:*", "ipc://"]) func onePassOverTwoWorkers(_ endpoint: String) async throws {
        try await onThread {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("toy-\(UUID().uuidString).ipc")
                .path
            let coordinator = try Coordinator(
                configuration: Toy.coordinator(endpoint == "ipc://" ? "ipc://\(path)" : endpoint))
            let workers = (0..<2).map { _ in RunningWorker(Toy.worker(coordinator.boundEndpoint)) }
            let outcome = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data("toy".utf8)),
                source: RandomShards(50, payloadSize: 3000), reducer: ByteHistogram())
            #expect(outcome.state == RandomShards.expected(50, payloadSize: 3000))
            #expect(outcome.samples == 150)
            #expect(outcome.shards == 50)
            coordinator.finish()
            for worker in workers { #expect(try worker.exit() == .finished) }
        }
    }
}
