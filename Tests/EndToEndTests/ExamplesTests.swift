import Foundation
import Quantization
import TestSupport
import Testing

/// The job files in `examples` run as they are and show what they say. A new one is run too.
@Suite(.serialized)
struct ExamplesTests {
    static let folder = TestJob.repository.appendingPathComponent("examples")

    /// The job files without their extension. Where the folder cannot be read there are none, which a test refuses.
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".yml") }.map { String($0.dropLast(4)) }.sorted()
    }()

    @Test func thereAreExamples() throws {
        // What is checked below by name.
        #expect(Set(Self.names).isSuperset(of: ["analysis", "calibrate", "mixed_precision", "qat"]))
        let readme = try String(contentsOf: Self.folder.appendingPathComponent("README.md"), encoding: .utf8)
        let untold = Self.names.filter { !readme.contains("](\($0).yml)") }
        #expect(untold.isEmpty, "not in examples/README.md")
    }

    @Test(arguments: names)
    func everyExampleRunsAsItIs(_ name: String) throws {
        let scratch = try ScratchFolder()
        let output = scratch.url.appendingPathComponent("output")
        func isThere(_ file: String) -> Bool {
            FileManager.default.fileExists(atPath: output.appendingPathComponent(file).path)
        }
        let job = Self.folder.appendingPathComponent("\(name).yml")
        let process = try QuantSimProcess(
            ["run", job.path, "--workers", "2", "--output", output.path], in: scratch.url)
        try #require(try process.exitCode() == 0, "\(process.standardError)")

        let report = try TestJob.report(output)
        #expect(!report.stages.isEmpty && report.digest.encodings != nil && report.digest.weights != nil)
        for file in ["model.onnx", "model.encodings", "report.html"] { #expect(isThere(file), "\(file)") }
        // Each section of the job has come to something. Those of `dataset` are indented.
        let text = try String(contentsOf: job, encoding: .utf8)
        #expect((report.training != nil) == text.contains("\ntraining:"))
        #expect(isThere("analysis.json") == text.contains("\nanalysis:"))
        #expect(isThere("model_qdq.onnx") == text.contains("onnx_qdq: true"))

        let file = output.appendingPathComponent("model.encodings")
        let encodings = try EncodingsFile.read(Data(contentsOf: file), file: file.path)
        switch name {
        case "analysis": try checkAnalysis(output)
        case "calibrate":
            #expect(isThere("model.1.0.0.encodings") && isThere("model.0.6.1.encodings"))
            #expect(report.samples.calibration == 200)
            let (fp32, quantized) = (try #require(report.accuracy.fp32), try #require(report.accuracy.quantized))
            #expect(fp32 > 98.5 && quantized > fp32 - 1)
            // One for each of the ten classes.
            let bits = encodings.parameters["classifier.weight"]?.encodings.map(\.bitwidth)
            #expect(bits == Array(repeating: 8, count: 10))
        case "mixed_precision":
            checkMixedPrecision(encodings)
            #expect(try #require(report.accuracy.quantized) > 97)
        case "qat":
            let training = try #require(report.training)
            #expect(training.steps == 40 && training.epochs.count == 2)
            #expect(training.epochs[1].loss < training.epochs[0].loss)
            let (quantized, trained) = (
                try #require(report.accuracy.quantized), try #require(report.accuracy.trained)
            )
            #expect(trained > quantized + 1)
            #expect(trained == training.epochs.compactMap(\.evaluationAccuracy).max())
            #expect(encodings.parameters.values.allSatisfy { $0.encodings.allSatisfy { $0.bitwidth == 4 } })
        default: break
        }
    }

    private func checkMixedPrecision(_ file: EncodingsFile) {
        func bits(_ encodings: TensorEncodings?) -> [Int]? { encodings?.encodings.map(\.bitwidth) }
        #expect(bits(file.parameters["stem.0.weight"]) == [8])
        #expect(bits(file.parameters["classifier.weight"]) == [8])
        for block in 0..<5 {
            #expect(bits(file.parameters["blocks.\(block).pointwise.0.weight"]) == [4])
            let depthwise = bits(file.parameters["blocks.\(block).depthwise.0.weight"]) ?? []
            #expect(depthwise.count > 1 && Set(depthwise) == [4], "one encoding per channel")
        }
        #expect(bits(file.activations["logits"]) == [16])
        #expect(bits(file.activations["/blocks/blocks.1/Relu_output_0"]) == [16])
        #expect(bits(file.activations["/stem/stem.2/Clip_output_0"]) == [8])
        #expect(file.activations["/ReduceMean_output_0"] == .float16)
        let input = file.activations["input"]?.encodings.first
        #expect(input?.min == 0 && input?.max == 255)
    }

    /// What the page on the examples says of `analysis.json`.
    private struct Analysis: Decodable {
        struct Effect: Decodable {
            var sqnrDb: Double?
        }

        struct Quantizer: Decodable {
            var tensor: String
            var on: Effect
        }

        var samples: Int
        var parametersOnly: Effect
        var activationsOnly: Effect
        var quantizers: [Quantizer]
    }

    private func checkAnalysis(_ output: URL) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let analysis = try decoder.decode(
            Analysis.self, from: Data(contentsOf: output.appendingPathComponent("analysis.json")))
        #expect(analysis.samples == 200)
        let (weights, activations) = (
            try #require(analysis.parametersOnly.sqnrDb), try #require(analysis.activationsOnly.sqnrDb)
        )
        #expect(weights < activations - 10)
        let worst = analysis.quantizers.sorted { ($0.on.sqnrDb ?? .infinity) < ($1.on.sqnrDb ?? .infinity) }.prefix(3)
        #expect(worst.count == 3 && worst.allSatisfy { $0.tensor.hasSuffix(".depthwise.0.weight") })
    }
}
