import Foundation
import Tensors
import Testing
import TestSupport

/// Data that cannot be used ends the job with one sentence that names the file and the sample.
@Suite struct BadDataTests {
    @Test func globThatMatchesNothing() throws {
        let job = try SpoiledJob()
        try job.writeJob(evaluation: "none-*.npz")
        try job.expectRefused(naming: "none-*.npz", "no file matches", job.folder.lastPathComponent)
    }

    @Test func noSamples() throws {
        let job = try SpoiledJob()
        try job.writeImages("empty.npz", shape: [0, 1, 28, 28])
        try job.writeJob(calibration: "empty.npz")
        try job.expectRefused(naming: "job.yml", "empty.npz", "at least one sample", "none")
        try job.expectInferenceRefused(
            input: "empty.npz", naming: "\"input\"", "at least one element", "[0, 1, 28, 28]")
    }

    @Test func arraysOfAnotherShape() throws {
        let job = try SpoiledJob()
        try job.writeImages("small.npz", shape: [40, 1, 20, 28])
        try job.writeJob(calibration: "small.npz")
        try job.expectRefused(naming: "model.onnx", "tensor \"input\"", "[batch = 1, 1, 28, 28]", "[1, 1, 20, 28]")
        try job.expectInferenceRefused(input: "small.npz", naming: "tensor \"input\"", "28, 28]", "[40, 1, 20, 28]")
        // Where the first set tells the shape, the second is checked against it before anything is computed.
        try job.writeImages("turned.npz", shape: [40, 28, 28, 1])
        for file in ["small", "turned"] {
            try job.writeJob(evaluation: "\(file).npz")
            try job.expectRefused(naming: "\(file).npz", "sample \"0\"", "input of shape [1, 28, 28]")
        }
    }

    @Test func arraysOfAnotherName() throws {
        let job = try SpoiledJob()
        try job.writeImages("named.npz", name: "image")
        try job.writeJob(calibration: "named.npz")
        try job.expectRefused(naming: "named.npz", "an array named input", "found image")
        try job.expectInferenceRefused(
            input: "named.npz", naming: "\"input\"", "an array of this name", "image, labels")
    }

    @Test func truncatedArchive() throws {
        let job = try SpoiledJob()
        let whole = try Data(contentsOf: job.folder.appendingPathComponent("images.npz"))
        try job.scratch.write(whole.prefix(9000), to: "cut.npz")
        try job.writeJob(calibration: "cut.npz")
        try job.expectRefused(naming: "cut.npz", "not an .npz archive")
        try job.expectInferenceRefused(input: "cut.npz", naming: "cut.npz", "not an .npz archive")
    }

    @Test(arguments: [-1, 10, Int64.max]) func labelOutOfRange(_ label: Int64) throws {
        let job = try SpoiledJob()
        try job.writeImages("labelled.npz") { $0 == 33 ? label : Int64($0 % 10) }
        try job.writeJob(evaluation: "labelled.npz")
        try job.expectFailure(naming: "labelled.npz", "sample \"33\"", "a label from 0 to 9", "found \(label)")
    }

    @Test func corruptImageEndsTheJob() throws {
        for (name, data) in [("cut.jpg", try ImageFolder.truncatedJPEG()), ("garbage.jpg", ImageFolder.garbage)] {
            let job = try SpoiledJob(images: 20)
            try ImageFolder(job.folder.appendingPathComponent("images")).add(data, ofClass: 1, named: name)
            try job.expectFailure(naming: "/images", "class1/\(name)", "corrupt image", "on_bad_sample: skip")
        }
    }

    /// Bad samples are counted, the rest is what it would be alone, and that for any number of workers.
    @Test func badSamplesAreSkipped() throws {
        var digests: Set<String?> = []
        for workers in [1, 3] {
            let job = try SpoiledJob(images: 300, policy: "skip")
            let images = ImageFolder(job.folder.appendingPathComponent("images"))
            try images.add(ImageFolder.truncatedJPEG(), ofClass: 0, named: "0000_a.jpg")
            try images.add(ImageFolder.garbage, ofClass: 1, named: "0200_a.jpg")
            try images.add(Data(), ofClass: 1, named: "empty.png")
            let report = try job.finished(workers: workers)
            #expect(report.samples.calibration == 600 && report.skipped.calibration == 3)
            #expect(report.samples.evaluation == 600 && report.skipped.evaluation == 3)
            let named =
                "3 bad samples are left out: class0/0000_a.jpg (corrupt image), class1/0200_a.jpg (corrupt image), "
                + "class1/empty.png (unsupported image)"
            let notes = report.stages.map { $0.notes?.joined(separator: "\n") ?? "" }
            #expect(notes.count == 3 && notes.allSatisfy { $0.contains(named) }, "\(notes)")
            let correct = try #require(report.stages.last { $0.model == .fp32 }?.correctTop1)
            #expect(report.accuracy.fp32 == 100 * Double(correct) / 600)
            digests.insert(report.digest.encodings)
        }
        let clean = try SpoiledJob(images: 300, policy: "skip").finished(workers: 1)
        #expect(clean.skipped.calibration == 0)
        digests.insert(clean.digest.encodings)
        #expect(digests.count == 1, "\(digests)")
    }

    /// NaN and infinity in samples: the first is named, or all are left out and counted; an error where there are no others.
    @Test(arguments: [Float.nan, .infinity]) func samplesThatAreNotFinite(_ value: Float) throws {
        let job = try SpoiledJob()
        func write(_ count: Int) throws {
            var elements = [Float](repeating: 1, count: 40 * 784)
            for sample in 0..<count { elements[sample * 784 + 30] = value }
            try NPZ.write(
                [
                    ("input", Tensor(shape: [40, 1, 28, 28], elements)),
                    ("labels", Tensor(shape: [40], [Int64](repeating: 1, count: 40))),
                ], to: job.folder.appendingPathComponent("samples.npz"))
        }
        try write(3)
        try job.writeJob(calibration: "samples.npz", evaluation: "samples.npz")
        let found = "input has \(value) at [0, 1, 2]"
        try job.expectFailure(naming: "samples.npz", "elements that are not finite", found, "on_bad_sample: skip")
        try job.writeJob(calibration: "samples.npz", evaluation: "samples.npz", dataset: "on_bad_sample: skip")
        let report = try job.finished(workers: 2)
        #expect(report.samples.calibration == 37 && report.skipped.calibration == 3)
        #expect(report.samples.evaluation == 37 && report.skipped.evaluation == 3)
        try write(40)
        try FileManager.default.removeItem(at: job.output)
        try job.expectFailure(naming: "dataset.calibration", "at least one sample", "40 bad samples")
    }

    /// One numbering of classes for all splits: a folder that lacks the first class is not scored against it.
    @Test func classesOfASplitThatLacksSome() throws {
        let job = try SpoiledJob(images: 20)
        let images = job.folder.appendingPathComponent("images")
        func correct(_ evaluation: String) throws -> Int {
            try? FileManager.default.removeItem(at: job.output)
            try job.writeImageJob(evaluation: evaluation)
            return try #require(try job.finished(workers: 1).stages.first { $0.model == .fp32 }?.correctTop1)
        }
        for label in 0..<2 {
            let split = job.folder.appendingPathComponent("split\(label)")
            try FileManager.default.createDirectory(at: split, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                at: images.appendingPathComponent("class\(label)"), to: split.appendingPathComponent("class\(label)"))
        }
        #expect(try correct("split0") + correct("split1") == correct("images"))

        let other = job.folder.appendingPathComponent("split1")
        try FileManager.default.moveItem(
            at: other.appendingPathComponent("class1"), to: other.appendingPathComponent("zebra"))
        try? FileManager.default.removeItem(at: job.output)
        try job.writeImageJob(evaluation: "split1")
        try job.expectFailure(naming: "split1", "folder \"zebra\"", "dataset.classes", "class0, class1")
        try job.writeImageJob(evaluation: "split1", classes: "[class0, class1, zebra]")
        try job.expectFailure(naming: "label out of range", "found 2")
    }

    /// What a source holds beside samples is counted, and labels that are absent are told.
    @Test func whatIsNotTakenIsTold() throws {
        let job = try SpoiledJob(images: 8)
        try job.scratch.write(Data("{}".utf8), to: "images/class0/a.json")
        try job.scratch.write(Data("3".utf8), to: "images/class1/b.label.txt")
        try job.writeImageJob(evaluation: "images/class0/*")
        let process = try QuantSimProcess(
            ["run", job.file.path, "--workers", "1", "--output", job.output.path], in: job.folder)
        #expect(try process.exitCode() == 42)
        try FileManager.default.removeItem(at: job.folder.appendingPathComponent("images/class0/a.json"))
        let run = try QuantSimProcess(
            ["run", job.file.path, "--workers", "1", "--output", job.output.path], in: job.folder)
        #expect(try run.exitCode() == 0, "\(run.standardError)")
        let said = run.standardError
        #expect(said.contains("dataset.calibration: 1 file is no part of a sample and not taken: 1 of .txt"), "\(said)")
        #expect(said.contains("evaluate fp32: no accuracy, as the samples have no labels"), "\(said)")
        #expect(said.contains("calibrated with 16 samples, all: 8 of class 0, 8 of class 1"), "\(said)")
        #expect(said.contains("SQNR of the output"), "\(said)")
        let quantized = try #require(TestJob.report(job.output).stages.first { $0.model == .quantized })
        #expect(quantized.correctTop1 == nil)
        #expect(try #require(quantized.signalToNoise) > 20)
        #expect((0...8).contains(try #require(quantized.agreeingTop1)))
    }

    @Test func nothingButBadSamples() throws {
        let job = try SpoiledJob(images: 0, policy: "skip")
        let images = ImageFolder(job.folder.appendingPathComponent("images"))
        try images.add(ImageFolder.garbage, ofClass: 0, named: "a.jpg")
        try images.add(ImageFolder.truncatedJPEG(), ofClass: 0, named: "b.jpg")
        try job.expectFailure(naming: "job.yml", "dataset.calibration", "at least one sample", "2 bad samples")
    }
}

extension SpoiledJob {
    /// Images in two classes, so many in each.
    init(images count: Int, policy: String = "stop") throws {
        try self.init()
        try write(SmallModel.convolution(classes: 2, height: 16, width: 16))
        let images = ImageFolder(folder.appendingPathComponent("images"))
        for label in 0..<2 { try images.add(count, ofClass: label) }
        try writeImageJob(policy: policy)
    }

    func writeImageJob(evaluation: String = "images", policy: String = "stop", classes: String? = nil) throws {
        try writeJob(
            calibration: "images", evaluation: evaluation, batch: 16,
            dataset: "on_bad_sample: \(policy)\n  image: {size: [16, 16], mean: [0.5, 0.5, 0.5], std: [1, 1, 1]}"
                + (classes.map { "\n  classes: \($0)" } ?? ""))
    }

    func finished(workers: Int) throws -> RunReport {
        let process = try QuantSimProcess(
            ["run", file.path, "--workers", "\(workers)", "--output", output.path], in: folder)
        #expect(try process.exitCode() == 0, "\(process.standardError)")
        return try TestJob.report(output)
    }
}
