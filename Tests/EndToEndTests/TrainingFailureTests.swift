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
}
