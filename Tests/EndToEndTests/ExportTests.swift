import Foundation
import ONNX
import Tensors
import TestSupport
import Testing

/// What a job leaves for other tools: encodings in every version, and the model with quantize and dequantize nodes.
@Suite struct ExportTests {
    @Test func everythingThatAJobCanExport() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 64)
        let text = try String(contentsOf: job.file, encoding: .utf8)
        let export = #"export: {encodings: ["2.0.0", "1.0.0", "0.6.1"], onnx_qdq: true}"#
        try Data("\(text)\n\(export)\n".utf8).write(to: job.file)
        let output = scratch.url.appendingPathComponent("output")
        let process = try QuantSimProcess(["run", job.file.path, "--output", output.path], in: scratch.url)
        #expect(try process.exitCode() == 0, "\(process.standardError)")

        let first = try Data(contentsOf: output.appendingPathComponent("model.encodings"))
        #expect(try first == Data(contentsOf: output.appendingPathComponent("model.2.0.0.encodings")))
        let model = output.appendingPathComponent("model.onnx")
        func outputs(_ version: String) throws -> Data {
            let arrays = scratch.url.appendingPathComponent("\(version).npz")
            let images = job.folder.appendingPathComponent("images.npz")
            let inference = try QuantSimProcess(
                [
                    "infer", model.path, "--input", images.path, "--output", arrays.path, "--encodings",
                    output.appendingPathComponent("model.\(version).encodings").path,
                ], in: scratch.url)
            #expect(try inference.exitCode() == 0, "\(inference.standardError)")
            return try Data(contentsOf: arrays)
        }
        let expected = try outputs("1.0.0")
        #expect(try outputs("2.0.0") == expected && outputs("0.6.1") == expected)

        let plain = try ONNXFile.read(model).model.graph
        let quantized = try ONNXFile.read(output.appendingPathComponent("model_qdq.onnx")).model.graph
        #expect(quantized.input == plain.input && quantized.output == plain.output)
        let types = Dictionary(grouping: quantized.node, by: \.opType).mapValues(\.count)
        #expect(
            types.filter { !$0.key.hasSuffix("Linear") }
                == Dictionary(grouping: plain.node, by: \.opType).mapValues(\.count))
        // Each value has a pair, each constant the second of it.
        #expect(try #require(types["QuantizeLinear"]) >= 1)
        #expect(try #require(types["DequantizeLinear"]) > (types["QuantizeLinear"] ?? 0))
        #expect(
            quantized.initializer.contains { $0.dataType == 3 } && quantized.initializer.contains { $0.dataType == 6 })

        // The quantized model is a model for a job again, with the encodings that it came with.
        let qdq = output.appendingPathComponent("model_qdq.onnx")
        let second = try String(contentsOf: job.file, encoding: .utf8).split(separator: "\n")
            .map { $0.hasPrefix("model:") ? "model: \(qdq.path)" : String($0) }.joined(separator: "\n")
        let again = job.folder.appendingPathComponent("again.yml")
        try Data(second.utf8).write(to: again)
        let secondOutput = scratch.url.appendingPathComponent("again")
        let repeated = try QuantSimProcess(["run", again.path, "--output", secondOutput.path], in: scratch.url)
        #expect(try repeated.exitCode() == 0, "\(repeated.standardError)")
        #expect(repeated.standardError.contains("encodings of the model's quantize nodes: "))
        func encodings(_ folder: URL) throws -> Data {
            try Data(contentsOf: folder.appendingPathComponent("model.1.0.0.encodings"))
        }
        #expect(try encodings(secondOutput) == encodings(output))
        let secondQDQ = try ONNXFile.read(secondOutput.appendingPathComponent("model_qdq.onnx")).model.graph
        #expect(secondQDQ.node.map(\.output) == quantized.node.map(\.output))

        let inspection = try QuantSimProcess(
            ["inspect", output.appendingPathComponent("model.encodings").path], in: scratch.url)
        #expect(try inspection.exitCode() == 0)
        #expect(inspection.standardOutput.contains("tensors: "))
    }
}
