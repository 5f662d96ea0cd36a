import Cluster
import ClusterProtocol
import Foundation
import Testing

/// Workers that would compute other bits are refused, and the job goes on without them.
@Suite(.serialized) struct RefusalTests {
    @Test func otherInstructionSetOrLibrary() async throws {
        try await onThread {
            let coordinator = try Coordinator(configuration: Toy.coordinator())
            var narrow = Toy.worker(coordinator.boundEndpoint)
            narrow.compute = ComputeIdentity(library: "toy 1", supportedISAs: ["narrow"])
            var other = Toy.worker(coordinator.boundEndpoint)
            other.compute = ComputeIdentity(library: "toy 2", supportedISAs: ["plain"])
            #expect(
                try RunningWorker(narrow).exit()
                    == .refused(Refusal(.instructionSet, expected: "plain", found: "narrow")))
            #expect(
                try RunningWorker(other).exit() == .refused(Refusal(.library, expected: "toy 1", found: "toy 2")))

            let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint))
            let outcome = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data("toy".utf8)),
                source: RandomShards(10, payloadSize: 100), reducer: ByteHistogram())
            #expect(outcome.state == RandomShards.expected(10, payloadSize: 100))
            coordinator.finish()
            #expect(try worker.exit() == .finished)
        }
    }
}
