import Foundation
import Quantization
import Support
import Testing
import TestSupport

/// Mixed precision by hand, and jobs that begin with encodings of another. Real processes.
@Suite(.serialized)
struct PrecisionTests {
    private static func encodings(_ output: URL) throws -> EncodingsFile {
        let file = output.appendingPathComponent("model.encodings")
        return try EncodingsFile.read(Data(contentsOf: file), file: file.path)
    }

    /// Runs a job with other keys in its section `quantization`.
    private static func run(
        _ job: URL, _ quantization: String, in folder: URL, to name: String, workers: Int = 1
    ) throws -> (output: URL, report: RunReport, log: String) {
        let text = try String(contentsOf: job, encoding: .utf8)
        let file = folder.appendingPathComponent("\(name).yml")
        let changed = text.replacing(
            "quantization: {", with: "quantization: {\(quantization)\(quantization.isEmpty ? "" : ", ")")
        try changed.write(to: file, atomically: true, encoding: .utf8)
        let output = folder.appendingPathComponent(name)
        let process = try QuantSimProcess(
            ["run", file.path, "--workers", "\(workers)", "--output", output.path], in: folder)
        #expect(try process.exitCode() == 0, "\(process.standardError)")
        return (output, try TestJob.report(output), process.standardError)
    }

    /// One layer in 4 bits and the input in 16; then a second job that takes all encodings of the first.
    @Test func encodingsOfOneJobAreThoseOfTheNext() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 64)
        let plain = try Self.run(job.file, "", in: scratch.url, to: "plain")
        let overrides = "overrides: [{tensors: classifier.weight, bitwidth: 4}, {tensors: input, bitwidth: 16}]"
        let mixed = try Self.run(job.file, overrides, in: scratch.url, to: "mixed")
        let (before, after) = (try Self.encodings(plain.output), try Self.encodings(mixed.output))
        #expect(after.parameters["classifier.weight"]?.encodings.map(\.bitwidth) == [4])
        #expect(after.activations["input"]?.encodings.map(\.bitwidth) == [16])
        for name in before.parameters.keys where name != "classifier.weight" {
            #expect(after.parameters[name] == before.parameters[name])
        }
        #expect(mixed.report.digest.encodings != plain.report.digest.encodings)

        let again = try Self.run(
            job.file, "encodings: mixed/model.encodings",
            in: scratch.url, to: "again")
        #expect(again.report.digest == mixed.report.digest)
        #expect(again.report.accuracy == mixed.report.accuracy)
        // Nothing was left to observe, and the report does not claim it.
        #expect(again.report.samples.calibration == nil && again.report.samples.evaluation == 64)
        #expect(again.log.contains("encodings of mixed/model.encodings: "))
    }

    /// A job whose every encoding is given and that evaluates nothing has no pass at all.
    @Test func jobsWithoutAnyPass() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 32)
        let text = try String(contentsOf: job.file, encoding: .utf8)
        try text.replacing("  evaluation: {path: images.npz}\n", with: "").write(
            to: job.file, atomically: true, encoding: .utf8)
        let first = try Self.run(job.file, "", in: scratch.url, to: "first")
        let second = try Self.run(
            job.file, "encodings: first/model.encodings", in: scratch.url, to: "second")
        #expect(second.report.digest == first.report.digest && second.report.stages.isEmpty)
    }

    /// Frozen encodings are the same after a training, others that are given where it begins.
    @Test(arguments: ["learned", "static"])
    func trainingFromGivenEncodings(_ ranges: String) throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(
            in: scratch.url, steps: 10, learningRate: 0.01, settings: ["ranges": ranges])
        let base = try Self.run(job.file, "", in: scratch.url, to: "base")
        let given = try Self.encodings(base.output)
        let trained = try Self.run(
            job.file,
            "encodings: [{file: base/model.encodings, tensors: [\"blocks.*\", \"*Clip_output_0\"], frozen: true}, "
                + "{file: base/model.encodings, tensors: [classifier.weight, logits]}]",
            in: scratch.url, to: "trained")
        let found = try Self.encodings(trained.output)
        var frozen = 0
        for (name, encodings) in given.parameters.merging(given.activations, uniquingKeysWith: { $1 })
        where name.hasPrefix("blocks.") || name.hasSuffix("Clip_output_0") {
            #expect(found.parameters[name] ?? found.activations[name] == encodings, "\(name)")
            frozen += 1
        }
        #expect(frozen > 10)
        #expect(found.parameters["classifier.weight"] != given.parameters["classifier.weight"])
        #expect((found.activations["logits"] != given.activations["logits"]) == (ranges == "learned"))
        #expect(trained.report.digest.weights != base.report.digest.weights)
    }

    /// Blocks and half precision among learned ranges: the same bits for any number of workers.
    @Test func trainingWithBlocksAndHalfPrecision() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 6, learningRate: 0.01, settings: ["ranges": "learned"])
        let overrides =
            "overrides: [{tensors: classifier.weight, bitwidth: 4, block_size: 4}, {tensors: [logits], dtype: float16}]"
        let one = try Self.run(job.file, overrides, in: scratch.url, to: "one")
        let two = try Self.run(job.file, overrides, in: scratch.url, to: "two", workers: 2)
        #expect(one.report.digest == two.report.digest)
        let found = try Self.encodings(one.output)
        #expect(found.activations["logits"] == .float16)
        #expect(found.parameters["classifier.weight"]?.blocks?.size == 4)
        let plain = try Self.run(job.file, "", in: scratch.url, to: "plain")
        #expect(plain.report.digest.weights != one.report.digest.weights)
    }

    /// Version 0.6.1 would read blocks as channels, which is said before anything is computed.
    @Test func filesWithoutRoomForBlocksAreRefused() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 32)
        let text = try String(contentsOf: job.file, encoding: .utf8)
        let overrides = "overrides: [{tensors: classifier.weight, block_size: 4}]"
        try
            (text.replacing("quantization: {", with: "quantization: {\(overrides), ")
            + "\nexport: {encodings: [\"1.0.0\", \"0.6.1\"]}\n").write(to: job.file, atomically: true, encoding: .utf8)
        let output = scratch.url.appendingPathComponent("out")
        let process = try QuantSimProcess(
            ["run", job.file.path, "--workers", "1", "--output", output.path], in: scratch.url)
        #expect(try process.exitCode() == 42)
        #expect(process.standardError.contains("0.6.1 and blocks of classifier.weight"), "\(process.standardError)")
    }
}
