import Foundation
import Tensors
import TestSupport
import Testing

/// Trainings that cannot be done, or come to nothing.
@Suite(.serialized)
struct TrainingFailureTests {
    private func expectFailure(
        _ job: TrainingJob, in scratch: ScratchFolder, naming words: String...,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        let output = scratch.url.appendingPathComponent("output").path
        let process = try QuantSimProcess(
            ["run", job.file.path, "--workers", "1", "--output", output], in: scratch.url)
        #expect(try process.exitCode() == 42, "\(process.standardError)", sourceLocation: location)
        expectSentence(process.standardError, naming: words, at: location)
    }

    private func write(
        _ scratch: ScratchFolder, label: ((Int) -> Int64)?, samples: Int = 64
    ) throws -> String {
        let images = Tensor(shape: [samples, 1, 28, 28], (0..<samples * 784).map { UInt8(truncatingIfNeeded: $0) })
        var arrays = [("input", images)]
        if let label { arrays.append(("labels", Tensor(shape: [samples], (0..<samples).map(label)))) }
        let file = scratch.url.appendingPathComponent("samples.npz")
        try NPZ.write(arrays, to: file)
        return file.path
    }

    /// A learning rate that grows beyond measure: the step and the first tensor are named, the last good checkpoint stays.
    @Test func divergence() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, samples: 64, divideBy: 1e-33)
        try expectFailure(job, in: scratch, naming: "step 3", "slot ", "tensor \"", "training diverges")
        let checkpoints = try FileManager.default.contentsOfDirectory(
            atPath: scratch.url.appendingPathComponent("output/checkpoints").path)
        #expect(!checkpoints.isEmpty)
    }

    /// A rate that spoils the weights: the model before training is better than every epoch, and is what is exported.
    @Test func trainingThatMakesItWorse() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 10, learningRate: 0.5, evaluation: 300)
        let run = try ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 2)
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let report = try TestJob.report(run.output)
        #expect(report.training?.exportedEpoch == 0)
        #expect(report.accuracy.trained == report.accuracy.quantized)
        #expect(run.coordinator.standardError.contains("no epoch is better than the model before training"))
        // Bit for bit what the job gives without training.
        let text = try String(contentsOf: job.file, encoding: .utf8)
        let plain = scratch.url.appendingPathComponent("plain.yml")
        try String(text[..<(try #require(text.range(of: "training:\n  steps"))).lowerBound])
            .write(to: plain, atomically: true, encoding: .utf8)
        let untrained = try ClusterRun(plain, in: scratch.url.appendingPathComponent("plain"), workers: 1, lanes: 2)
        #expect(try untrained.coordinator.exitCode() == 0, "\(untrained.coordinator.standardError)")
        #expect(try TestJob.report(untrained.output).digest == report.digest)
    }

    @Test func fewerSamplesThanAStepTakes() throws {
        let scratch = try ScratchFolder()
        try expectFailure(
            TrainingJob(in: scratch.url, samples: 31), in: scratch,
            naming: "job.yml, line", "training.global_batch", "at most the 31 samples of dataset.training", "found 32")
    }

    @Test func noLabels() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, samples: 64, training: write(scratch, label: nil))
        try expectFailure(
            job, in: scratch, naming: "job.yml, line", "dataset.training", "labels", "cross_entropy", "samples.npz")
    }

    @Test func labelOutOfRange() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(
            in: scratch.url, samples: 64, training: write(scratch, label: { $0 == 40 ? 10 : 3 }))
        try expectFailure(
            job, in: scratch, naming: "samples.npz", "\"40\"", "label out of range", "from 0 to 9", "found 10")
    }

    /// A run that is resumed after its coordinator was killed with two checkpoints or more, which are spoilt.
    /// - Parameter onlyNewest: not all of them.
    private func resumed(
        _ job: TrainingJob, in scratch: ScratchFolder, spoilingOnlyNewest onlyNewest: Bool
    ) throws -> ClusterRun {
        let run = try ClusterRun(job.file, in: scratch.url, workers: 2, lanes: 1)
        _ = try run.waitForCheckpoint(after: run.waitForCheckpoint())
        #expect(run.coordinator.process.isRunning, "the job was over before the coordinator was killed")
        run.coordinator.kill()
        _ = try run.coordinator.exitCode()
        let folder = run.output.appendingPathComponent("checkpoints")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix("step-") }.sorted()
        #expect(names.count >= 2)
        for name in onlyNewest ? names.suffix(1) : names[...] {
            let file = folder.appendingPathComponent("\(name)/tensors.safetensors")
            var data = try Data(contentsOf: file)
            data[data.count - 1] ^= 1
            try data.write(to: file)
        }
        try run.restartCoordinator()
        return run
    }

    /// To begin anew would lose the training without a word.
    @Test func checkpointsOfWhichNoneCanBeRead() throws {
        let scratch = try ScratchFolder()
        let run = try resumed(TrainingJob(in: scratch.url, steps: 240), in: scratch, spoilingOnlyNewest: false)
        #expect(try run.coordinator.exitCode() == 42, "\(run.coordinator.standardError)")
        expectSentence(run.coordinator.standardError, naming: ["checkpoints/step-", "the file is damaged"])
    }

    @Test func aSpoiltCheckpointIsToldOfAndPassedOver() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 240)
        let run = try resumed(job, in: scratch, spoilingOnlyNewest: true)
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let errors = run.coordinator.standardError
        #expect(errors.contains("a checkpoint is passed over: ") && errors.contains("the file is damaged"))
        #expect(errors.contains("training goes on from step "))
        let undisturbed = try ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 2)
        #expect(try undisturbed.coordinator.exitCode() == 0, "\(undisturbed.coordinator.standardError)")
        #expect(try TestJob.report(run.output).digest == TestJob.report(undisturbed.output).digest)
    }
}
