import Cluster
import ClusterProtocol
import Foundation
import Messaging
import Support
import Synchronization
import Testing

/// An artifact whose bytes are made as they are asked for.
private struct Pattern: ArtifactContent {
    let count: Int

    /// Another byte in each MiB.
    func bytes(_ range: Range<Int>) -> Data {
        var bytes = Data(capacity: range.count)
        while bytes.count < range.count {
            let place = range.lowerBound + bytes.count
            let end = min(range.upperBound, ((place >> 20) + 1) << 20)
            bytes.append(Data(repeating: UInt8(truncatingIfNeeded: place >> 20), count: end - place))
        }
        return bytes
    }
}

/// Coordinator and workers in one process, over real sockets.
@Suite(.serialized) struct CoordinatorTests {
    @Test(arguments: ["tcp://127.0.0.1:*", "tcp://[::1]:*", "ipc"]) func onePassOverTwoWorkers(
        _ endpoint: String
    ) async throws {
        try await onThread {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("toy-\(UUID().uuidString)").path
            let coordinator = try Coordinator(
                configuration: Toy.coordinator(endpoint == "ipc" ? "ipc://\(path)" : endpoint))
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

    /// Payloads, artifacts and descriptor larger than a frame; artifacts fetched once for several passes.
    @Test func largePayloadsAndArtifacts() async throws {
        try await onThread {
            let coordinator = try Coordinator(configuration: Toy.coordinator())
            let model = Data((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            // Large enough to be kept in a file by the worker.
            let part = Pattern(count: 33_000_001)
            let partID = SHA256Digest(of: part.bytes(0..<part.count))
            let id = coordinator.addArtifact(model, with: (partID, part))
            let empty = coordinator.addArtifact(Data())
            let descriptor = Data(repeating: 3, count: 1_500_000)
            let setUps = Mutex(0)
            let factory = HistogramFactory(
                onSetUp: { found, isa, artifacts in
                    #expect(found == descriptor)
                    #expect(isa == "plain")
                    #expect(artifacts == [model, Data(), part.bytes(0..<part.count)])
                    setUps.withLock { $0 += 1 }
                }, artifacts: [id, empty, partID])
            let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint), factory: factory)
            for pass in 0..<2 {
                let size = 3_000_001 + pass
                let outcome = try coordinator.run(
                    pass: PassDescription(name: "pass \(pass)", descriptor: descriptor, artifacts: [id, empty]),
                    source: RandomShards(6, payloadSize: size), reducer: ByteHistogram())
                #expect(outcome.state == RandomShards.expected(6, payloadSize: size))
            }
            coordinator.finish()
            #expect(try worker.exit() == .finished)
            #expect(setUps.withLock { $0 } == 2)
        }
    }

    @Test func workersMayBeEarlyOrLate() async throws {
        try await onThread {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("toy-\(UUID().uuidString)").path
            let early = RunningWorker(Toy.worker("ipc://\(path)"))
            usleep(300_000)
            let coordinator = try Coordinator(configuration: Toy.coordinator("ipc://\(path)"))
            let late = Mutex<RunningWorker?>(nil)
            let source = RandomShards(40, payloadSize: 100) { shard in
                if shard == 20 { late.withLock { $0 = RunningWorker(Toy.worker("ipc://\(path)")) } }
            }
            let outcome = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data()), source: source, reducer: ByteHistogram())
            #expect(outcome.state == RandomShards.expected(40, payloadSize: 100))
            coordinator.finish()
            #expect(try early.exit() == .finished)
        }
    }

    @Test func aStoppedWorkerDrains() async throws {
        try await onThread {
            let coordinator = try Coordinator(configuration: Toy.coordinator())
            let slow = HistogramFactory(behaviour: { _ in usleep(20000) })
            let stopped = RunningWorker(Toy.worker(coordinator.boundEndpoint), factory: slow)
            let source = RandomShards(60, payloadSize: 100) { shard in
                if shard == 30 {
                    stopped.worker.stop()
                    _ = RunningWorker(Toy.worker(coordinator.boundEndpoint), factory: slow)
                }
            }
            let outcome = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data()), source: source, reducer: ByteHistogram())
            #expect(outcome.state == RandomShards.expected(60, payloadSize: 100))
            #expect(try stopped.exit() == .drained)
            coordinator.finish()
        }
    }

    @Test func aPermanentFailureArrivesAsItWasThrown() async throws {
        try await onThread {
            let coordinator = try Coordinator(configuration: Toy.coordinator())
            let failure = ShardFailure(permanent: true, code: "decode", fields: ["file": "x.jpg", "found": "a cat"])
            let factory = HistogramFactory(behaviour: { if $0 == 7 { throw failure } })
            let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint), factory: factory)
            let error = #expect(throws: ClusterError.self) {
                try coordinator.run(
                    pass: PassDescription(name: "count", descriptor: Data()), source: RandomShards(50, payloadSize: 10),
                    reducer: ByteHistogram())
            }
            #expect(error?.code == .shardFailed)
            #expect(error?.shard == 7)
            #expect(error?.failure == failure)
            #expect(try worker.exit() == .jobFailed("shardFailed"))
            #expect(throws: ClusterError.self) {
                try coordinator.run(
                    pass: PassDescription(name: "more", descriptor: Data()), source: RandomShards(1, payloadSize: 1),
                    reducer: ByteHistogram())
            }
            coordinator.finish()
        }
    }

    @Test func aSetUpFailureEndsTheJob() async throws {
        try await onThread {
            let coordinator = try Coordinator(configuration: Toy.coordinator())
            let failure = ShardFailure(permanent: true, code: "model")
            let factory = HistogramFactory(onSetUp: { _, _, _ in throw failure })
            let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint), factory: factory)
            let error = #expect(throws: ClusterError.self) {
                try coordinator.run(
                    pass: PassDescription(name: "count", descriptor: Data()), source: RandomShards(5, payloadSize: 10),
                    reducer: ByteHistogram())
            }
            #expect(error?.code == .passFailed)
            #expect(error?.failure == failure)
            #expect(try worker.exit() == .jobFailed("passFailed"))
            coordinator.finish()
        }
    }

    @Test func theCallersErrorsComeBackToTheCaller() async throws {
        struct Trouble: Error, Equatable { var shard: Int }
        struct Refuser: ResultReducer {
            mutating func merge(shard: Int, samples: Int, result: Data) throws { throw Trouble(shard: shard) }
            func state() -> Data { Data() }
            mutating func restore(_ state: Data) {}
        }
        try await onThread {
            for fails in ["source", "reducer"] {
                let coordinator = try Coordinator(configuration: Toy.coordinator())
                let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint))
                let source = RandomShards(9, payloadSize: 10) {
                    if fails == "source", $0 == 5 { throw Trouble(shard: 5) }
                }
                #expect(throws: Trouble.self) {
                    try coordinator.run(
                        pass: PassDescription(name: "count", descriptor: Data()), source: source,
                        reducer: fails == "source" ? ByteHistogram() : Refuser() as any ResultReducer)
                }
                #expect(try worker.exit() == .jobFailed("callback"))
                coordinator.finish()
            }
        }
    }

    @Test func theEndpointThatCannotBeBoundIsNamed() throws {
        let first = try Coordinator(configuration: Toy.coordinator())
        let error = #expect(throws: ClusterError.self) {
            try Coordinator(configuration: Toy.coordinator(first.boundEndpoint))
        }
        #expect(error?.code == .endpoint)
        #expect(error?.expected == first.boundEndpoint)
        let worker = #expect(throws: ClusterError.self) {
            try Worker(configuration: Toy.worker("nonsense"), factory: HistogramFactory()).run()
        }
        #expect(worker?.code == .mistakenEndpoint)
        first.finish()
    }

    @Test func aWorkerWithoutCoordinatorGivesUp() async throws {
        try await onThread {
            var configuration = Toy.worker("tcp://127.0.0.1:9")
            configuration.limits.patience = .milliseconds(500)
            let exit = try RunningWorker(configuration).exit()
            #expect(exit == .coordinatorLost)
        }
    }

    @Test func progressCounts() async throws {
        try await onThread {
            let seen = Mutex<[ClusterProgress]>([])
            var configuration = Toy.coordinator()
            configuration.progress = { progress in seen.withLock { $0.append(progress) } }
            let coordinator = try Coordinator(configuration: configuration)
            let worker = RunningWorker(
                Toy.worker(coordinator.boundEndpoint), factory: HistogramFactory(behaviour: { _ in usleep(20000) }))
            _ = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data(), shardCount: 80),
                source: RandomShards(80, payloadSize: 10), reducer: ByteHistogram())
            coordinator.finish()
            _ = try worker.exit()
            let reports = seen.withLock { $0 }
            let last = try #require(reports.last)
            #expect(reports.count >= 2)
            #expect(last.isComplete && last.samplesCommitted == 240 && last.shardsCommitted == 80)
            #expect(last.workers == 1 && last.lanes == 2)
            #expect(zip(reports, reports.dropFirst()).allSatisfy { $0.samplesCommitted <= $1.samplesCommitted })
        }
    }
}
