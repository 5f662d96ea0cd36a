import Foundation
import Reports
import Testing
import TestSupport

/// The trained weights are the same bits whatever the workers and the coordinator go through. Real processes, real kills.
@Suite(.serialized)
struct TrainingExactnessTests {
    @Test func anyNumberOfWorkersAndLanes() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url)
        var digests: Set<Report.Digest> = []
        for (workers, lanes) in [(1, 1), (1, 2), (2, 1), (3, 2), (5, 1)] {
            let run = try ClusterRun(job.file, in: scratch.url, workers: workers, lanes: lanes)
            #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
            let report = try TestJob.report(run.output)
            let training = try #require(report.training)
            #expect(report.samples.training == 50 * 32)
            #expect(training.steps == 50)
            #expect(training.epochs.map(\.steps) == [Int](repeating: 5, count: 10))
            #expect(training.epochs[3].learningRate == 0.001 / (1.1 * 1.1 * 1.1))
            #expect(training.epochs[9].loss < training.epochs[0].loss / 2)
            #expect(report.digest.weights != nil)
            digests.insert(report.digest)
        }
        #expect(digests.count == 1, "\(digests)")
    }

    /// Workers that cannot reach each other have the coordinator add up; it makes no difference.
    @Test(arguments: ["32", "16"]) func workersWithoutPorts(gradientBits: String) throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, settings: ["gradient_bits": gradientBits])
        let expected = try ClusterRun(job.file, in: scratch.url, workers: 2, lanes: 1)
        #expect(try expected.coordinator.exitCode() == 0, "\(expected.coordinator.standardError)")
        for ports in [[0], [nil, 0]] {
            let run = try ClusterRun(job.file, in: scratch.url, workers: 0, lanes: 1)
            for port in ports { try run.addWorker(lanes: 1, peerPort: port) }
            #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
            #expect(try TestJob.report(run.output).digest == TestJob.report(expected.output).digest)
        }
    }

    @Test(arguments: [
        ["ranges": "static"], ["ranges": "static", "weight_encodings": "frozen"], ["gradient_bits": "16"],
    ])
    func everyFormOfTraining(_ settings: [String: String]) throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, settings: settings)
        let reports = try [(1, 2), (3, 1)].map { workers, lanes in
            let run = try ClusterRun(job.file, in: scratch.url, workers: workers, lanes: lanes)
            #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
            return try TestJob.report(run.output)
        }
        #expect(reports[0].digest == reports[1].digest)
        #expect(reports[0].training == reports[1].training)
        let losses = try #require(reports[0].training).epochs.map(\.loss)
        #expect(losses[9] < losses[0] / 2, "\(losses)")
    }

    /// Workers are killed in the middle of steps, others join late.
    @Test func workersThatAreKilledAndJoinLate() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 240)
        let undisturbed = try ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 2)
        #expect(try undisturbed.coordinator.exitCode() == 0, "\(undisturbed.coordinator.standardError)")

        let run = try ClusterRun(job.file, in: scratch.url, workers: 2, lanes: 1)
        try run.waitForCheckpoint()
        for round in 0..<3 {
            #expect(run.coordinator.process.isRunning, "the job was over before a worker was killed")
            run.workers[round].kill()
            try run.addWorker(lanes: 1)
            Thread.sleep(forTimeInterval: 0.15)
        }
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let (expected, found) = (try TestJob.report(undisturbed.output), try TestJob.report(run.output))
        #expect(found.digest == expected.digest)
        #expect(found.training == expected.training)
        #expect(found.samples == expected.samples)
        #expect(found.workers.seen >= 2)
    }

    /// The coordinator is killed and resumed twice: it goes on from a checkpoint, and the workers stay.
    @Test func coordinatorThatIsKilledAndResumed() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 240)
        let undisturbed = try ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 2)
        #expect(try undisturbed.coordinator.exitCode() == 0, "\(undisturbed.coordinator.standardError)")

        let run = try ClusterRun(job.file, in: scratch.url, workers: 2, lanes: 1)
        var before = 0
        for _ in 0..<2 {
            before = try run.waitForCheckpoint(after: before)
            #expect(run.coordinator.process.isRunning, "the job was over before the coordinator was killed")
            run.coordinator.kill()
            _ = try run.coordinator.exitCode()
            try run.restartCoordinator()
        }
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        #expect(run.coordinator.standardError.contains("goes on from step"))
        let (expected, found) = (try TestJob.report(undisturbed.output), try TestJob.report(run.output))
        #expect(found.digest == expected.digest)
        #expect(found.training == expected.training)
        #expect(found.samples == expected.samples)
        for worker in run.workers { #expect(try worker.exitCode() == 0, "\(worker.standardError)") }
    }

    /// What is exported are the trained weights and the encodings of them: calibrating the exported model gives the same.
    @Test func theExportedFilesAreOfTheTrainedWeights() throws {
        let scratch = try ScratchFolder()
        let training = try TrainingJob(in: scratch.url, settings: ["ranges": "static"])
        let run = try ClusterRun(training.file, in: scratch.url, workers: 1, lanes: 2)
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let trained = run.output.appendingPathComponent("model.onnx")
        func encodings(_ model: URL) throws -> NSArray {
            let folder = scratch.url.appendingPathComponent("calibration-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let job = try TrainingJob(in: folder, model: model)
            let text = try String(contentsOf: job.file, encoding: .utf8)
            let calibration = text.components(separatedBy: "training:\n  steps")[0]
            try calibration.write(to: job.file, atomically: true, encoding: .utf8)
            let calibrated = try ClusterRun(job.file, in: folder, workers: 1, lanes: 2)
            #expect(try calibrated.coordinator.exitCode() == 0, "\(calibrated.coordinator.standardError)")
            return try parameterEncodings(calibrated.output)
        }
        let found = try parameterEncodings(run.output)
        #expect(try found == encodings(trained))
        #expect(try found != encodings(TestJob.model))
    }

    private func parameterEncodings(_ output: URL) throws -> NSArray {
        let data = try Data(contentsOf: output.appendingPathComponent("model.encodings"))
        let file = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        return try #require(file["param_encodings"] as? NSArray)
    }
}

extension ClusterRun {
    /// Waits until there is a checkpoint of a step after `step`, and returns its step.
    @discardableResult
    func waitForCheckpoint(after step: Int = 0) throws -> Int {
        let folder = output.appendingPathComponent("checkpoints").path
        let end = Date().addingTimeInterval(30)
        while Date() < end {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            let last = names.compactMap { $0.hasPrefix("step-") ? Int($0.dropFirst(5)) : nil }.max() ?? 0
            if last > step { return last }
            Thread.sleep(forTimeInterval: 0.002)
        }
        throw QuantSimProcess.Overdue(arguments: ["checkpoint"], standardError: coordinator.standardError)
    }
}
