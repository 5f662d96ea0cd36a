import Foundation
import Tensors
import Testing
import TestSupport

/// Training with an evaluation after every epoch: what is exported is the best epoch, whatever the workers and the
/// coordinator go through. Real processes, real kills.
@Suite(.serialized)
struct BestEpochTests {
    private func report(_ run: ClusterRun) throws -> RunReport {
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        return try TestJob.report(run.output)
    }

    /// A learning rate that spoils the network after some epochs: the best one is not the last.
    /// - Parameter divideBy: the rate after every epoch.
    private func spoilingJob(
        _ scratch: ScratchFolder, steps: Int, divideBy: Double = 0.7, settings: [String: String] = [:]
    ) throws -> TrainingJob {
        try TrainingJob(
            in: scratch.url, steps: steps, learningRate: 1e-6, divideBy: divideBy, evaluation: 300, settings: settings)
    }

    @Test func theBestEpochIsExportedForAnyNumberOfWorkers() throws {
        let scratch = try ScratchFolder()
        let job = try spoilingJob(scratch, steps: 23, divideBy: 0.2)
        var reports: [RunReport] = []
        for (workers, lanes) in [(1, 1), (2, 1), (3, 2)] {
            reports.append(try report(ClusterRun(job.file, in: scratch.url, workers: workers, lanes: lanes)))
        }
        #expect(Set(reports.map(\.digest)).count == 1)
        for report in reports { #expect(report.training == reports[0].training) }

        let training = try #require(reports[0].training)
        let accuracies = training.epochs.map(\.evaluationAccuracy)
        #expect(accuracies.count == 5 && accuracies.allSatisfy { $0 != nil })
        let best = try #require(accuracies.compactMap(\.self).max())
        #expect(training.exportedEpoch == (accuracies.firstIndex(of: best) ?? -1) + 1)
        #expect(training.exportedEpoch < 5, "the job is to show an epoch better than the last")
        #expect(reports[0].accuracy.trained == best)
        #expect(training.lossCurve.losses.count == 23)

        // The exported weights are those of a training that ends with that epoch.
        let folder = scratch.url.appendingPathComponent("shorter")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let shorter = try TrainingJob(
            in: folder, steps: 5 * training.exportedEpoch, learningRate: 1e-6, divideBy: 0.2, evaluation: 300)
        let expected = try report(ClusterRun(shorter.file, in: folder, workers: 1, lanes: 2))
        #expect(reports[0].digest == expected.digest)
    }

    /// The coordinator is killed and resumed again and again, in the middle of steps and evaluations.
    @Test func coordinatorThatIsKilledAndResumed() throws {
        let scratch = try ScratchFolder()
        let job = try spoilingJob(scratch, steps: 150)
        let expected = try report(ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 2))

        let run = try ClusterRun(job.file, in: scratch.url, workers: 2, lanes: 1)
        var before = 0
        for _ in 0..<3 {
            before = try run.waitForCheckpoint(after: before)
            Thread.sleep(forTimeInterval: 0.03)
            #expect(run.coordinator.process.isRunning, "the job was over before the coordinator was killed")
            run.coordinator.kill()
            _ = try run.coordinator.exitCode()
            try run.restartCoordinator()
        }
        let found = try report(run)
        #expect(run.coordinator.standardError.contains("goes on from step"))
        #expect(found.digest == expected.digest)
        #expect(found.training == expected.training)
        #expect(found.accuracy == expected.accuracy)
        let page = try String(contentsOf: run.output.appendingPathComponent("report.html"), encoding: .utf8)
        let weights = try #require(found.digest.weights)
        #expect(page.contains("<svg") && page.contains(weights))
    }

    @Test func trainingStopsEarly() throws {
        let scratch = try ScratchFolder()
        let job = try spoilingJob(scratch, steps: 200, settings: ["patience": "2"])
        let training = try #require(try report(ClusterRun(job.file, in: scratch.url, workers: 2, lanes: 1)).training)
        let stopped = try #require(training.stoppedEarlyAfterEpoch)
        #expect(stopped < 40 && training.epochs.count == stopped && training.steps == 5 * stopped)
        #expect(training.exportedEpoch == stopped - 2)
    }

    @Test func patienceNeedsLabels() throws {
        let scratch = try ScratchFolder()
        let job = try spoilingJob(scratch, steps: 5, settings: ["patience": "2"])
        let images = scratch.url.appendingPathComponent("images.npz")
        try Self.write(images)
        let text = try String(contentsOf: job.file, encoding: .utf8)
            .replacingOccurrences(of: TrainingJob.evaluationSamples.path, with: images.path)
        try text.write(to: job.file, atomically: true, encoding: .utf8)
        let process = try QuantSimProcess(
            ["run", job.file.path, "--workers", "1", "--output", scratch.url.appendingPathComponent("o").path],
            in: scratch.url)
        #expect(try process.exitCode() == 42)
        expectSentence(
            process.standardError, naming: ["job.yml, line", "training.patience", "labels", "images.npz"])
    }

    private static func write(_ file: URL) throws {
        let images = Tensor(shape: [300, 1, 28, 28], (0..<300 * 784).map { UInt8(truncatingIfNeeded: $0) })
        try NPZ.write([("input", images)], to: file)
    }
}
