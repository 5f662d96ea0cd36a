import Cluster
import ClusterProtocol
import Foundation
import Messaging
import Tensors
import Testing

/// Real processes that are really killed. The children are this test program itself, told by its environment to run
/// nothing but one role.
@Suite(.serialized) struct ProcessTests {
    static let role = ProcessInfo.processInfo.environment["QUANTSIM_TOY_ROLE"]
    static let endpoint = ProcessInfo.processInfo.environment["QUANTSIM_TOY_ENDPOINT"] ?? ""
    static let journal = ProcessInfo.processInfo.environment["QUANTSIM_TOY_JOURNAL"] ?? ""

    /// Milliseconds a shard takes: the processes must live long enough to be killed at work.
    static let factory = HistogramFactory(behaviour: { shard in usleep(UInt32(15000 + shard % 7 * 5000)) })
    static let shards = 500
    static let payloadSize = 20000

    /// Faster than in production, so that the test is.
    static var limits: ProtocolLimits {
        var limits = ProtocolLimits()
        limits.heartbeatInterval = .milliseconds(200)
        limits.heartbeatTimeout = .milliseconds(800)
        limits.shardLosses = 1000
        return limits
    }

    static func coordinatorConfiguration() -> CoordinatorConfiguration {
        var configuration = Toy.coordinator(endpoint)
        configuration.limits = limits
        configuration.journalPath = journal
        configuration.resume = true
        return configuration
    }

    @Test(.enabled(if: role == "worker")) func workerProcess() async throws {
        let exit = try await onThread {
            var configuration = Toy.worker(Self.endpoint, lanes: 1)
            configuration.limits = Self.limits
            return try Worker(configuration: configuration, factory: Self.factory).run()
        }
        #expect(exit == .finished)
    }

    @Test(.enabled(if: role == "coordinator")) func coordinatorProcess() async throws {
        try await onThread {
            let coordinator = try Coordinator(configuration: Self.coordinatorConfiguration())
            let outcome = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data()),
                source: RandomShards(Self.shards, payloadSize: Self.payloadSize), reducer: ByteHistogram())
            coordinator.finish()
            try outcome.state.write(to: URL(fileURLWithPath: Self.journal + ".result"))
        }
    }

    private func start(_ role: String, endpoint: String, journal: String = "") throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        // The arguments name the test bundle where a helper runs it.
        process.arguments =
            Array(CommandLine.arguments.dropFirst()).removing(["--filter", "--skip", "--xunit-output"])
            + ["--filter", "\(role)Process"]
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "QUANTSIM_TOY_ROLE": role, "QUANTSIM_TOY_ENDPOINT": endpoint, "QUANTSIM_TOY_JOURNAL": journal,
            ]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    @Test(.enabled(if: role == nil), .timeLimit(.minutes(3)))
    func workersAndCoordinatorKilledAtAnyMoment() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("kill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let endpoint = "ipc://\(directory.path)/endpoint"
        let journal = directory.appendingPathComponent("journal.sqlite").path
        let seed = UInt64.random(in: 0...UInt64.max)
        try await onThread {
            var random = CounterRandom(key: seed)
            var coordinator = try start("coordinator", endpoint: endpoint, journal: journal)
            var workers = try (0..<3).map { _ in try start("worker", endpoint: endpoint) }
            enum Blow { case killWorker, killCoordinator, stopWorker }
            let blows: [Blow] =
                Array(repeating: .killWorker, count: 10) + Array(repeating: .killCoordinator, count: 3)
                + Array(repeating: .stopWorker, count: 2)
            var waiting = blows.shuffled(using: &random)
            let deadline = Date().addingTimeInterval(120)
            while !FileManager.default.fileExists(atPath: journal + ".result"), Date() < deadline {
                usleep(UInt32.random(in: 100_000...400_000, using: &random))
                let victim = Int.random(in: workers.indices, using: &random)
                switch waiting.popLast() {
                case .killWorker:
                    kill(workers[victim].processIdentifier, SIGKILL)
                    workers[victim] = try start("worker", endpoint: endpoint)
                case .killCoordinator:
                    kill(coordinator.processIdentifier, SIGKILL)
                    coordinator.waitUntilExit()
                    coordinator = try start("coordinator", endpoint: endpoint, journal: journal)
                case .stopWorker:
                    kill(workers[victim].processIdentifier, SIGSTOP)
                    usleep(1_200_000)
                    kill(workers[victim].processIdentifier, SIGCONT)
                case nil: break
                }
            }
            let result = try? Data(contentsOf: URL(fileURLWithPath: journal + ".result"))
            #expect(
                result == RandomShards.expected(Self.shards, payloadSize: Self.payloadSize), "seed \(seed)")
            for process in workers + [coordinator] {
                for _ in 0..<100 where process.isRunning { usleep(50000) }
                if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            }
            print("\(blows.count - waiting.count) of \(blows.count) blows before the end")
        }
    }
}

extension [String] {
    /// Without these options and their values.
    fileprivate func removing(_ options: Set<String>) -> [String] {
        var kept: [String] = []
        var skipsNext = false
        for argument in self {
            if skipsNext {
                skipsNext = false
            } else if options.contains(argument) {
                skipsNext = true
            } else {
                kept.append(argument)
            }
        }
        return kept
    }
}
