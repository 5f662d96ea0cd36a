import Foundation
import Testing
import TestSupport

/// What the demo promises: few bits cost accuracy, and training regains most of it.
@Suite(.serialized)
struct DemoTests {
    @Test func trainingRegainsWhatQuantizationCosts() throws {
        let scratch = try ScratchFolder()
        let output = scratch.url.appendingPathComponent("output")
        let process = try QuantSimProcess(["demo", "--workers", "2", "--output", output.path], in: scratch.url)
        #expect(try process.exitCode() == 0, "\(process.standardError)")
        for line in ["FP32 accuracy: ", "quantized accuracy: ", "trained accuracy: "] {
            #expect(process.standardOutput.contains(line))
        }
        let accuracy = try TestJob.report(output).accuracy
        let (fp32, quantized) = (try #require(accuracy.fp32), try #require(accuracy.quantized))
        let trained = try #require(accuracy.trained)
        #expect(fp32 > 98.5)
        #expect(quantized < fp32 - 3)
        #expect(trained > fp32 - 1.25)
        for name in ["model.onnx", "model.encodings", "model.0.6.1.encodings", "report.html"] {
            #expect(FileManager.default.fileExists(atPath: output.appendingPathComponent(name).path), "\(name)")
        }
    }
}
