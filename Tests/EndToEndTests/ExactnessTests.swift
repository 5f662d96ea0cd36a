import Foundation
import TestSupport
import Testing

/// The encodings are the same bits whatever the workers do. Real processes, real kills.
@Suite(.serialized)
struct ExactnessTests {
    @Test func anyNumberOfWorkersAndLanes() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 2000)
        var digests: [String?] = []
        for (workers, lanes) in [(1, 1), (1, 2), (2, 1), (3, 1), (5, 2)] {
            let run = try ClusterRun(job, in: scratch.url, workers: workers, lanes: lanes)
            #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
            let report = try TestJob.report(run.output)
            #expect(report.samples.calibration == 2000)
            #expect(report.samples.evaluation == 2000)
            digests.append(report.digest.encodings)
        }
        #expect(digests.first != .some(nil))
        #expect(Set(digests).count == 1, "\(digests)")
    }

    /// Workers are killed in the middle, others join late; every sample counts once.
    @Test func workersThatAreKilledAndJoinLate() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 12000)
        let undisturbed = try ClusterRun(job, in: scratch.url, workers: 1, lanes: 2)
        #expect(try undisturbed.coordinator.exitCode() == 0)

        let run = try ClusterRun(job, in: scratch.url, workers: 2, lanes: 1)
        for round in 0..<4 {
            Thread.sleep(forTimeInterval: 0.25)
            #expect(run.coordinator.process.isRunning, "the job was over before a worker was killed")
            run.workers[round].kill()
            try run.addWorker(lanes: 1)
        }
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let (expected, found) = (try TestJob.report(undisturbed.output), try TestJob.report(run.output))
        #expect(found.samples == expected.samples)
        #expect(found.digest == expected.digest)
        #expect(found.accuracy == expected.accuracy)
        #expect(found.workers.seen >= 2)
    }

    /// The coordinator is killed and resumed: committed shards are not computed again, the workers stay.
    @Test func coordinatorThatIsKilledAndResumed() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 12000)
        let undisturbed = try ClusterRun(job, in: scratch.url, workers: 1, lanes: 2)
        #expect(try undisturbed.coordinator.exitCode() == 0)

        let run = try ClusterRun(job, in: scratch.url, workers: 2, lanes: 1)
        for _ in 0..<3 {
            Thread.sleep(forTimeInterval: 0.5)
            #expect(run.coordinator.process.isRunning, "the job was over before the coordinator was killed")
            run.coordinator.kill()
            _ = try run.coordinator.exitCode()
            try run.restartCoordinator()
        }
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let (expected, found) = (try TestJob.report(undisturbed.output), try TestJob.report(run.output))
        #expect(found.samples == expected.samples)
        #expect(found.digest == expected.digest)
        #expect(found.accuracy == expected.accuracy)
        for worker in run.workers { #expect(try worker.exitCode() == 0, "\(worker.standardError)") }
    }
}

/// A coordinator and its workers as processes.
final class ClusterRun {
    let output: URL
    private(set) var coordinator: QuantSimProcess
    private(set) var workers: [QuantSimProcess] = []
    private let job: URL
    let endpoint: String
    private let scratch: URL

    convenience init(_ job: TestJob, in scratch: URL, workers: Int, lanes: Int) throws {
        try self.init(job.file, in: scratch, workers: workers, lanes: lanes)
    }

    init(_ job: URL, in scratch: URL, workers: Int, lanes: Int) throws {
        self.job = job
        self.scratch = scratch
        output = scratch.appendingPathComponent("output-\(UUID().uuidString)")
        endpoint = try TestJob.freeEndpoint()
        coordinator = try QuantSimProcess(
            ["coordinator", job.path, "--bind", endpoint, "--output", output.path], in: scratch)
        for _ in 0..<workers { try addWorker(lanes: lanes) }
    }

    /// - Parameters:
    ///   - peerPort: 0 for a worker that others cannot reach.
    ///   - launcher: a command that starts it.
    @discardableResult
    func addWorker(lanes: Int, peerPort: Int? = nil, under launcher: [String] = []) throws -> QuantSimProcess {
        let worker = try QuantSimProcess(
            ["worker", "--connect", endpoint, "--lanes", "\(lanes)"]
                + (peerPort.map { ["--peer-port", "\($0)"] } ?? []), in: scratch, under: launcher)
        workers.append(worker)
        return worker
    }

    func restartCoordinator() throws {
        coordinator = try QuantSimProcess(
            ["coordinator", job.path, "--bind", endpoint, "--output", output.path, "--resume"], in: scratch)
    }
}
