import Cluster
import ClusterProtocol
import Foundation
import Messaging
import Synchronization
import Testing

/// What lanes keep from pass to pass.
@Suite struct LaneMemoryTests {
    @Test func oneValueOfATypeIsKept() throws {
        struct Trouble: Error {}
        let memory = LaneMemory()
        #expect(throws: Trouble.self) { try memory.value(of: Int.self) { throw Trouble() } }
        #expect(memory.value { 1 } == 1)
        #expect(memory.value { 2 } == 1)
        #expect(memory.value { "other" } == "other")
        #expect(memory.value(of: Int.self) { 3 } == 1)
    }

    /// Lanes are made anew for each pass; their memories are as many as their threads.
    @Test func aLanesMemoryOutlastsThePass() async throws {
        let notes = Notes()
        try await onThread {
            let coordinator = try Coordinator(configuration: Toy.coordinator())
            let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint, lanes: 3), factory: NotingFactory(notes))
            for pass in 0..<4 {
                _ = try coordinator.run(
                    pass: PassDescription(name: "pass \(pass)", descriptor: Data()),
                    source: RandomShards(5, payloadSize: 10), reducer: ByteHistogram())
            }
            coordinator.finish()
            #expect(try worker.exit() == .finished)
        }
        #expect(notes.lanes.withLock { $0 } == 12)
        #expect(notes.pads.withLock { $0 } == 3)
        #expect(notes.strays.withLock { $0 } == 0)
    }

    private final class Notes: Sendable {
        let lanes = Mutex(0)
        let pads = Mutex(0)
        /// Pads in the hands of another thread than the one that they were made on.
        let strays = Mutex(0)
    }

    private final class Pad {
        let thread = Thread.current
    }

    private struct NotingFactory: PassExecutorFactory, ShardExecutor {
        let notes: Notes

        init(_ notes: Notes) {
            self.notes = notes
        }

        func makeExecutor(
            descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data
        ) throws -> any ShardExecutor { self }

        func prepare(shard: Int, payload: Data) throws -> Data { payload }

        func makeLane(keeping memory: LaneMemory) throws -> Lane {
            notes.lanes.withLock { $0 += 1 }
            let pad = memory.value {
                notes.pads.withLock { $0 += 1 }
                return Pad()
            }
            if pad.thread !== Thread.current { notes.strays.withLock { $0 += 1 } }
            return Lane()
        }
    }

    private struct Lane: ShardLane {
        func compute(_ prepared: Data) throws -> Data { ByteHistogram(of: prepared).encoded }
    }
}
