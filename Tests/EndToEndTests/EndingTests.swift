import Foundation
import TestSupport
import Testing

/// Processes that are asked to end, and workers that all die.
@Suite(.serialized) struct EndingTests {
    /// A worker drains and another goes on; a coordinator leaves its worker waiting for the one that goes on.
    @Test func workerAndCoordinatorAreTerminated() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 8000)
        let undisturbed = try ClusterRun(job, in: scratch.url, workers: 1, lanes: 2)
        #expect(try undisturbed.coordinator.exitCode() == 0, "\(undisturbed.coordinator.standardError)")

        let run = try ClusterRun(job, in: scratch.url, workers: 2, lanes: 1)
        for worker in run.workers { try worker.waitFor("joined") }
        Thread.sleep(forTimeInterval: 0.3)
        #expect(run.coordinator.process.isRunning, "the job was over before a worker was asked to end")
        run.workers[0].process.terminate()
        #expect(try run.workers[0].exitCode(withinSeconds: 10) == 143, "\(run.workers[0].standardError)")
        #expect(!run.workers[0].standardError.contains("Error:"))
        try run.coordinator.waitFor("reason=goodbye")

        #expect(run.coordinator.process.isRunning, "the job was over before the coordinator was asked to end")
        run.coordinator.process.terminate()
        #expect(try run.coordinator.exitCode(withinSeconds: 5) == 143, "\(run.coordinator.standardError)")
        expectNoError(run.coordinator.standardError, endingWith: "as asked")
        #expect(run.workers[1].process.isRunning)
        try run.restartCoordinator()
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        #expect(try run.workers[1].exitCode() == 0, "\(run.workers[1].standardError)")

        let (expected, found) = (try TestJob.report(undisturbed.output), try TestJob.report(run.output))
        #expect(found.samples == expected.samples)
        #expect(found.digest == expected.digest)
        #expect(found.accuracy == expected.accuracy)
    }

    @Test func coordinatorWithoutWorkersIsTerminated() throws {
        let scratch = try ScratchFolder()
        let run = try ClusterRun(TestJob(in: scratch.url, samples: 50), in: scratch.url, workers: 0, lanes: 1)
        try run.coordinator.waitFor("workers connect to")
        run.coordinator.process.terminate()
        #expect(try run.coordinator.exitCode(withinSeconds: 5) == 143)
        expectNoError(run.coordinator.standardError, endingWith: "as asked")
    }

    @Test func workerWithoutCoordinatorIsTerminated() throws {
        let scratch = try ScratchFolder()
        let worker = try QuantSimProcess(["worker", "--connect", TestJob.freeEndpoint()], in: scratch.url)
        Thread.sleep(forTimeInterval: 0.5)
        worker.process.terminate()
        #expect(try worker.exitCode(withinSeconds: 5) == 143)
    }

    /// Ctrl-C and SIGTERM end `run` and the workers it launched.
    @Test(arguments: [SIGINT, SIGTERM]) func runIsInterrupted(_ signal: Int32) throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 20000)
        let output = scratch.url.appendingPathComponent("output")
        let run = try QuantSimProcess(
            ["run", job.file.path, "--workers", "2", "--output", output.path], in: scratch.url)
        try run.waitFor("workers.alive=2")
        let workers = run.children
        #expect(workers.count == 2)
        kill(run.process.processIdentifier, signal)
        #expect(try run.exitCode(withinSeconds: 12) == 143, "\(run.standardError)")
        expectNoError(run.standardError, endingWith: "as asked")
        for worker in workers { #expect(kill(worker, 0) != 0, "a worker outlived its launcher") }
        #expect(!FileManager.default.fileExists(atPath: output.appendingPathComponent("report.json").path))
    }

    /// Workers that die again and again: the job may be tried again elsewhere.
    @Test func allWorkersDie() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 20000)
        let output = scratch.url.appendingPathComponent("output")
        let run = try QuantSimProcess(
            ["run", job.file.path, "--workers", "1", "--output", output.path], in: scratch.url)
        try run.waitFor("worker joined")
        let end = Date().addingTimeInterval(30)
        while run.process.isRunning, Date() < end {
            for worker in run.children { kill(worker, SIGKILL) }
            Thread.sleep(forTimeInterval: 0.05)
        }
        #expect(try run.exitCode(withinSeconds: 10) == 75, "\(run.standardError)")
        expectSentence(run.standardError, naming: ["no worker is left"])
    }

    /// A job that fails ends the workers that came by themselves too, each with a sentence of its own.
    @Test func workersOfAFailedJob() throws {
        let job = try SpoiledJob()
        try job.writeImages("labelled.npz") { _ in 12 }
        try job.writeJob(evaluation: "labelled.npz")
        let endpoint = try TestJob.freeEndpoint()
        let coordinator = try QuantSimProcess(
            ["coordinator", job.file.path, "--bind", endpoint, "--output", job.output.path], in: job.folder)
        let worker = try QuantSimProcess(["worker", "--connect", endpoint, "--lanes", "1"], in: job.folder)
        #expect(try coordinator.exitCode(withinSeconds: 30) == 42)
        expectSentence(coordinator.standardError, naming: ["labelled.npz", "label out of range"])
        #expect(try worker.exitCode(withinSeconds: 10) == 42)
        expectSentence(worker.standardError, naming: ["a shard failed", "the coordinator has ended the job"])
    }

    /// What the coordinator itself finds wrong while workers are there: they end as it does, and not with success.
    @Test func workersOfAJobWhoseDataCannotBeRead() throws {
        let job = try SpoiledJob()
        // The headers are whole and the counts right; the bytes of the second array's rows are not.
        let data = try job.writeDamagedImages("damaged.npz")
        try job.writeJob(evaluation: data)
        let endpoint = try TestJob.freeEndpoint()
        let coordinator = try QuantSimProcess(
            ["coordinator", job.file.path, "--bind", endpoint, "--output", job.output.path], in: job.folder)
        let worker = try QuantSimProcess(["worker", "--connect", endpoint, "--lanes", "1"], in: job.folder)
        #expect(try coordinator.exitCode(withinSeconds: 30) == 42)
        expectSentence(coordinator.standardError, naming: ["damaged.npz", "corrupt array"])
        #expect(try worker.exitCode(withinSeconds: 10) == 42, "\(worker.standardError)")
        expectSentence(
            worker.standardError,
            naming: ["the job's model or data cannot be used", "the coordinator has ended the job"])
    }
}

/// A requested end is told as such, in the last line, and as no error anywhere.
private func expectNoError(
    _ text: String, endingWith words: String, at location: SourceLocation = #_sourceLocation
) {
    #expect(!text.contains("Error:") && !text.contains(" error "), "\(text)", sourceLocation: location)
    #expect(text.split(separator: "\n").last?.contains(words) == true, "\(text)", sourceLocation: location)
}

extension SpoiledJob {
    /// Images as `writeImages` writes them, with a byte of the last image changed.
    fileprivate func writeDamagedImages(_ name: String) throws -> String {
        var bytes = try Data(contentsOf: folder.appendingPathComponent("images.npz"))
        // Stored, not deflated: the images come first, 128 bytes of header before them.
        bytes[200 + 39 * 784] ^= 0xFF
        try scratch.write(bytes, to: name)
        return name
    }
}

extension QuantSimProcess {
    /// Identifiers of the processes that it has launched.
    fileprivate var children: [Int32] {
        let own = process.processIdentifier
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(own)/task")) ?? []
        return tasks.flatMap { task in
            let text = try? String(contentsOfFile: "/proc/\(own)/task/\(task)/children", encoding: .utf8)
            return (text ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }
}
