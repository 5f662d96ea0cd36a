import Foundation
import ONNX
import Tensors
import TestSupport
import Testing

/// Samples of different types and extents. Real processes.
@Suite(.serialized) struct VaryingSamplesTests {
    /// Encodings and numbers of the evaluation with some numbers of workers.
    private func expectEqualRuns(
        _ job: URL, in scratch: URL, at location: SourceLocation = #_sourceLocation
    ) throws -> RunReport {
        var reports: [RunReport] = []
        for (workers, lanes) in [(1, 1), (2, 1), (3, 1), (5, 2)] {
            let run = try ClusterRun(job, in: scratch, workers: workers, lanes: lanes)
            try #require(
                try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)", sourceLocation: location)
            reports.append(try TestJob.report(run.output))
        }
        let first = reports[0]
        #expect(first.digest.encodings != nil, sourceLocation: location)
        for report in reports.dropFirst() {
            #expect(report.digest == first.digest, sourceLocation: location)
            #expect(report.samples == first.samples && report.accuracy == first.accuracy, sourceLocation: location)
            for (own, other) in zip(report.stages, first.stages) {
                #expect(own.signalToNoise == other.signalToNoise, sourceLocation: location)
                #expect(own.agreeingTop1 == other.agreeingTop1, sourceLocation: location)
            }
        }
        return first
    }

    private func write(_ text: String, in scratch: ScratchFolder) throws -> URL {
        let job = scratch.url.appendingPathComponent("job.yml")
        try text.write(to: job, atomically: true, encoding: .utf8)
        return job
    }

    /// A tar shard of sentences, with their arrays as members of their own or together.
    private func sentences(_ samples: Range<Int>, labelled: Bool, together: Bool = false) throws -> Data {
        var tar = TarBuilder()
        for index in samples {
            let arrays = SentenceEncoder.sample(index, length: 3 + index * 7 % 11)
            let key = String(format: "%05d", index)
            if together {
                tar.add("\(key).npz", try archive(arrays))
            } else {
                for (name, tensor) in arrays.sorted(by: { $0.key < $1.key }) {
                    tar.add("\(key).\(name).npy", NPY.encode(tensor))
                }
            }
            if labelled { tar.add("\(key).cls", "\(index % SentenceEncoder.classes)") }
        }
        return tar.finished()
    }

    private func archive(_ arrays: [String: Tensor]) throws -> Data {
        let scratch = try ScratchFolder()
        let url = scratch.url.appendingPathComponent("arrays.npz")
        try NPZ.write(arrays.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: url)
        return try Data(contentsOf: url)
    }

    @Test func tokensOfSentencesOfDifferentLengths() throws {
        let scratch = try ScratchFolder()
        try scratch.write(try SentenceEncoder.model().file.encoded(), to: "model.onnx")
        try scratch.write(try sentences(0..<300, labelled: true), to: "a.tar")
        try scratch.write(try sentences(300..<500, labelled: true, together: true), to: "b.tar")
        let job = try write(
            """
            model: model.onnx
            dataset:
              calibration: {path: "*.tar"}
              evaluation: {path: "*.tar"}
              batch: 8
            quantization: {config: default}
            analysis: {samples: 40}
            """, in: scratch)
        let report = try expectEqualRuns(job, in: scratch.url)
        #expect(report.samples.calibration == 500 && report.samples.evaluation == 500)
        #expect(report.accuracy.fp32 != nil && report.accuracy.quantized != nil)

        let check = try QuantSimProcess(["check", job.path], in: scratch.url)
        #expect(try check.exitCode() == 0, "\(check.standardError)")
        #expect(
            check.standardOutput.contains("array input_ids: int64, 11 shapes from [3] to [13]"),
            "\(check.standardOutput)")
    }

    @Test func trainingOnSentencesOfDifferentLengths() throws {
        let scratch = try ScratchFolder()
        try scratch.write(try SentenceEncoder.model().file.encoded(), to: "model.onnx")
        try scratch.write(try sentences(0..<60, labelled: true), to: "a.tar")
        let job = try write(
            """
            model: model.onnx
            dataset:
              calibration: {path: a.tar, samples: 30}
              training: {path: a.tar}
              evaluation: {path: a.tar}
              batch: 4
            training: {steps: 5, global_batch: 12, slots: 3, optimizer: {name: sgd, learning_rate: 0.1}}
            """, in: scratch)
        let report = try expectEqualRuns(job, in: scratch.url)
        #expect(report.digest.weights != nil && report.training?.steps == 5)
        #expect(report.accuracy.trained != nil)
    }

    /// Of several lengths, one in each file, in types that are converted; without labels.
    @Test func arraysOfSeveralFilesWithoutLabels() throws {
        let scratch = try ScratchFolder()
        try scratch.write(try SentenceEncoder.model(maskType: .float32).file.encoded(), to: "model.onnx")
        for (part, length) in [4, 9, 6, 9].enumerated() {
            let samples = (0..<90).map { SentenceEncoder.sample(100 * part + $0, length: length) }
            func rows<Element: TensorElement>(_ name: String, _ convert: (Int64) -> Element) -> Tensor {
                Tensor(
                    shape: [samples.count, length],
                    samples.flatMap { $0[name]?.elements(as: Int64.self).map(convert) ?? [] })
            }
            try NPZ.write(
                [
                    ("input_ids", rows("input_ids") { Int32($0) }),
                    ("attention_mask", rows("attention_mask") { Double($0) }),
                ],
                to: scratch.url.appendingPathComponent("part\(part).npz"))
        }
        let job = try write(
            """
            model: model.onnx
            dataset:
              calibration: {path: "part*.npz", samples: 200}
              evaluation: {path: "part*.npz"}
              batch: 4
            quantization: {config: default}
            """, in: scratch)
        let report = try expectEqualRuns(job, in: scratch.url)
        #expect(report.samples.evaluation == 360)
        let quantized = try #require(report.stages.first { $0.name == "evaluate quantized" })
        #expect(try #require(quantized.signalToNoise) > 5)
        let check = try QuantSimProcess(["check", job.path], in: scratch.url)
        #expect(try check.exitCode() == 0)
        for words in [
            "input_ids: int32 becomes the model's int64, without loss", "float64 becomes the model's float32, rounded",
        ] {
            #expect(check.standardOutput.contains(words), "\(check.standardOutput)")
        }
    }

    /// A fully convolutional network, whose output has the extents of the image.
    private static func convolutional() -> ModelBuilder {
        func random(_ shape: Shape, _ key: UInt64) -> Tensor {
            var random = CounterRandom(key: key, 3)
            return Tensor(shape: shape, (0..<shape.count).map { _ in random.uniform() - 0.5 })
        }
        var model = ModelBuilder()
        model.input("image", ["batch", "3", "height", "width"])
        model.constant("first", random([4, 3, 3, 3], 1))
        model.constant("second", random([2, 4, 1, 1], 2))
        model.node("Conv", ["image", "first"], ["maps"], ["pads": [1, 1, 1, 1]])
        model.node("Relu", ["maps"], ["rectified"])
        model.node("Conv", ["rectified", "second"], ["places"])
        model.output("places", ["batch", "2", "height", "width"])
        return model
    }

    private func writeImages(_ count: Int, in scratch: ScratchFolder) throws {
        let folder = scratch.url.appendingPathComponent("images")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for index in 0..<count {
            var random = CounterRandom(key: 5, UInt64(index))
            let image = PNGBuilder.image(height: 8 + index * 3 % 10, width: 8 + index * 5 % 7) { row, column in
                let bits = random.next()
                return (
                    UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: row * 9),
                    UInt8(truncatingIfNeeded: column * 9)
                )
            }
            try image.write(to: folder.appendingPathComponent(String(format: "%04d.png", index)))
        }
    }

    @Test(arguments: ["keep, multiple_of: 4", "keep", "{buckets: [[16, 12], [12, 16], [12, 12]]}"])
    func imagesOfDifferentSizes(_ size: String) throws {
        let scratch = try ScratchFolder()
        try scratch.write(try Self.convolutional().file.encoded(), to: "model.onnx")
        try writeImages(300, in: scratch)
        let job = try write(
            """
            model: model.onnx
            dataset:
              calibration: {path: images}
              evaluation: {path: images, samples: 150}
              image: {size: \(size), mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
              batch: 4
            quantization: {config: default}
            """, in: scratch)
        let report = try expectEqualRuns(job, in: scratch.url)
        #expect(report.samples.calibration == 300)
        let quantized = try #require(report.stages.first { $0.name == "evaluate quantized" })
        #expect(try #require(quantized.signalToNoise) > 10)
    }

    /// Slots hold images of several sizes; the weights are the same whoever computed them.
    @Test func trainingOnImagesOfDifferentSizes() throws {
        let scratch = try ScratchFolder()
        try scratch.write(try Self.convolutional().file.encoded(), to: "model.onnx")
        try writeImages(60, in: scratch)
        func job(_ size: String, _ training: String) throws -> URL {
            try write(
                """
                model: model.onnx
                dataset:
                  calibration: {path: images, samples: 20}
                  training: {path: images, augment: {crop_padding: 1, horizontal_flip: true}}
                  image: {size: \(size), mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
                  batch: 4
                training: {steps: 4, loss: distillation, global_batch: 12, slots: 3, \(training)}
                """, in: scratch)
        }
        let report = try expectEqualRuns(
            try job("keep", "optimizer: {name: sgd, learning_rate: 0.01}"), in: scratch.url)
        #expect(report.digest.weights != nil && report.training?.steps == 4)
    }

    @Test func keptBatchNormsTakeImagesOfOneSize() throws {
        let scratch = try ScratchFolder()
        var model = Self.convolutional()
        for (name, value) in [("scale", Float(1)), ("shift", 0), ("mean", 0), ("variance", 1)] {
            model.constant(name, Tensor(shape: [2], [value, value]))
        }
        model.model.graph.output.removeAll()
        model.node("BatchNormalization", ["places", "scale", "shift", "mean", "variance"], ["normalized"])
        model.output("normalized", ["batch", "2", "height", "width"])
        try scratch.write(try model.file.encoded(), to: "model.onnx")
        try writeImages(20, in: scratch)
        let job = try write(
            """
            model: model.onnx
            dataset:
              calibration: {path: images}
              training: {path: images}
              image: {size: keep, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
            training: {steps: 2, loss: distillation, global_batch: 4, slots: 2, batch_norms: kept}
            """, in: scratch)
        let run = try QuantSimProcess(["run", job.path, "--output", scratch.url.path + "/out"], in: scratch.url)
        #expect(try run.exitCode() == 42)
        #expect(run.standardError.contains("training.batch_norms: expected folded or frozen"), "\(run.standardError)")
        #expect(run.standardError.contains("images of different sizes"), "\(run.standardError)")
    }

    /// A file a sample in a folder, of a model whose inputs have no axis of samples.
    @Test func samplesThatAreTheModelsWholeInput() throws {
        let scratch = try ScratchFolder()
        // One sentence, as its matrix of tokens; attention mixes what lies along the first axis.
        var model = ModelBuilder()
        model.input("tokens", ["length", "6"])
        model.constant("axis", Tensor(shape: [1], [Int64(0)]))
        model.node("Transpose", ["tokens"], ["turned"], ["perm": [1, 0]])
        model.node("MatMul", ["tokens", "turned"], ["similarity"])
        model.node("Softmax", ["similarity"], ["attention"], integers: ["axis": -1])
        model.node("MatMul", ["attention", "tokens"], ["attended"])
        model.node("ReduceMean", ["attended"], ["sentence"], ["axes": [0]], integers: ["keepdims": 0])
        model.output("sentence", ["6"])
        try scratch.write(try model.file.encoded(), to: "model.onnx")
        let folder = scratch.url.appendingPathComponent("sentences")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for index in 0..<40 {
            var random = CounterRandom(key: 8, UInt64(index))
            let length = 2 + index % 5
            let tokens = Tensor(shape: [length, 6], (0..<6 * length).map { _ in random.normal() })
            let label = Tensor(scalar: Int64(index % 6))
            try NPZ.write(
                [("tokens", tokens), ("label", label)],
                to: folder.appendingPathComponent(String(format: "%02d.npz", index)))
        }
        let job = try write(
            """
            model: model.onnx
            dataset:
              calibration: {path: sentences}
              evaluation: {path: sentences}
              batch: 8
            """, in: scratch)
        let report = try expectEqualRuns(job, in: scratch.url)
        #expect(report.samples.calibration == 40 && report.accuracy.fp32 != nil)
        let check = try QuantSimProcess(["check", job.path], in: scratch.url)
        #expect(try check.exitCode() == 0)
        #expect(
            check.standardOutput.contains("one at a time, as tokens of the model has no axis of samples"),
            "\(check.standardOutput)")

        let draft = scratch.url.appendingPathComponent("draft.yml")
        let drafting = try QuantSimProcess(
            ["init", scratch.url.path + "/model.onnx", folder.path, "--job", draft.path], in: scratch.url)
        #expect(try drafting.exitCode() == 0, "\(drafting.standardError)")
        let text = try String(contentsOf: draft, encoding: .utf8)
        #expect(text.contains("path: \"sentences\"") && !text.contains("image:"), "\(text)")
    }

    @Test func whatDoesNotFitIsRefusedByName() throws {
        let scratch = try ScratchFolder()
        try scratch.write(try SentenceEncoder.model(length: "8").file.encoded(), to: "model.onnx")
        func refuse(_ arrays: [(String, Tensor)], naming words: String...) throws {
            try NPZ.write(arrays, to: scratch.url.appendingPathComponent("second.npz"))
            let run = try QuantSimProcess(["run", job.path, "--output", scratch.url.path + "/out"], in: scratch.url)
            #expect(try run.exitCode() == 42)
            for word in words { #expect(run.standardError.contains(word), "\(run.standardError)") }
        }
        func ids(_ length: Int) -> Tensor { Tensor(shape: [4, length], [Int64](repeating: 1, count: 4 * length)) }
        try NPZ.write(
            [("input_ids", ids(8)), ("attention_mask", ids(8))], to: scratch.url.appendingPathComponent("first.npz"))
        let job = try write(
            """
            model: model.onnx
            dataset:
              calibration: {path: first.npz}
              evaluation: {path: second.npz}
            """, in: scratch)
        try refuse(
            [("input_ids", ids(8)), ("attention_mask", ids(7))], naming: "second.npz",
            "expected attention_mask of shape [8], found [7]")
        try refuse(
            [("input_ids", Tensor(shape: [4, 8], [Float](repeating: 1, count: 32))), ("attention_mask", ids(8))],
            naming: "second.npz", "expected input_ids of int64, or of integers, found float32")
        // Ids that the embedding does not have are found by a worker, which names the node.
        try refuse(
            [
                ("input_ids", Tensor(shape: [4, 8], [Int64](repeating: 50, count: 32))), ("attention_mask", ids(8)),
            ], naming: "model.onnx", "(Gather)", "50")
    }
}
