import Foundation
import ONNX
import Reports
import TestSupport
import Testing

/// `post_training: [cross_layer_equalization]` from the job file to the report.
@Suite(.serialized) struct EqualizationTests {
    private static let stages = "post_training: [fold_batch_norms, cross_layer_equalization]"

    @Test func sameResultForAnyNumberOfWorkers() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.unequalized())
        try job.writeImages("images.npz", shape: [200, 1, 28, 28])
        try job.writeJob(Self.stages)
        var digests: Set<Report.Digest> = []
        for workers in 1...3 {
            let report = try job.report(workers: workers)
            digests.insert(report.digest)
            let stage = try #require(report.stages.first)
            #expect((stage.name, stage.kind, stage.samples) == ("equalize", .equalization, 64))
            #expect(try #require(stage.signalToNoise) > 100)
            let notes = try #require(stage.notes).joined(separator: "\n")
            for words in [
                "1 sets of layers equalized (node_maps > node_scores): 8 of 8 channels scaled", "before, ",
                "biases of 1 sets were not looked at", "SQNR of the FP32 output",
            ] { #expect(notes.contains(words), "\(words) is not in: \(notes)") }
            // The stage is none of those that the summaries are of.
            #expect(report.samples.calibration == 200 && report.samples.evaluation == 200)
        }
        #expect(digests.count == 1)
        let equalized = try job.report(workers: 1)

        try job.writeJob("post_training: [fold_batch_norms]")
        let plain = try job.report(workers: 1)
        #expect(plain.accuracy.fp32 == equalized.accuracy.fp32)
        #expect(plain.digest.weights != equalized.digest.weights)
        #expect(!plain.stages.contains { $0.kind == .equalization })
    }

    /// A changed function is told, and FP32 in the report stays the model as given.
    @Test func clipsThatBecomeReluAreTold() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.unequalized(clips: true))
        try job.writeJob(Self.stages)
        let equalized = try job.report(workers: 2)
        let notes = try #require(equalized.stages.first?.notes).joined(separator: "\n")
        #expect(notes.contains("1 Clip nodes became Relu, which changes the function: node_positive"), "\(notes)")
        #expect(try #require(equalized.stages.first?.signalToNoise) < 80)
        try job.writeJob("post_training: [fold_batch_norms]")
        #expect(try job.report(workers: 2).accuracy.fp32 == equalized.accuracy.fp32)
    }

    /// Where nothing was done that changes the function, and it is another one all the same, the job ends.
    @Test func aFunctionThatChangesIsRefused() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.unequalizedAndSensitive())
        try job.writeJob(Self.stages)
        try job.expectFailure(
            naming: "job.yml, line 8, post_training[1]",
            "an equalized FP32 model whose output is that of the model as given",
            "SQNR of at least 80 dB", " dB")
        try job.writeJob("post_training: [fold_batch_norms]")
        _ = try job.report(workers: 1)
    }

    /// Nothing to scale is said, and costs no pass.
    @Test func modelsWithoutSetsAreTold() throws {
        let job = try SpoiledJob()
        try job.writeJob(Self.stages)
        let report = try job.report(workers: 1)
        let stage = try #require(report.stages.first)
        #expect((stage.kind, stage.samples) == (.equalization, 0))
        #expect(try #require(stage.notes?.first).hasPrefix("no layers to equalize"))
    }

    @Test func checkAndInspectSayWhatWouldBeScaled() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.unequalized())
        try job.writeJob(Self.stages)
        for arguments in [
            ["check", job.file.path],
            ["inspect", job.folder.appendingPathComponent("model.onnx").path, "--job", job.file.path],
        ] {
            let process = try QuantSimProcess(arguments, in: job.folder)
            #expect(try process.exitCode(withinSeconds: 60) == 0, "\(process.standardError)")
            #expect(process.standardOutput.contains("1 sets of layers equalized (node_maps > node_scores)"))
        }
    }
}
