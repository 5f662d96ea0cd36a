import Foundation
import Quantization
import Tensors
import Testing
import TestSupport

/// Classifiers of sequences, an LSTM and a transformer, from 4-bit weights to fine-tuned ones: Tests/Golden/Sequences, made by
/// train.py there.
@Suite(.serialized)
struct SequenceTests {
    /// What train.py says: which of four symbols each step shows, noise, marks at two steps; the class is the first marked symbol.
    private static func write(_ count: Int, key: UInt64, to file: URL) throws {
        let (steps, features, symbols) = (12, 6, 4)
        var random = CounterRandom(key: key, 0)
        var (inputs, labels): ([Float], [Int64]) = ([], [])
        for _ in 0..<count {
            let shown = (0..<steps).map { _ in Int.random(in: 0..<symbols, using: &random) }
            let first = Int.random(in: 0..<steps, using: &random)
            let second = (first + Int.random(in: 1..<steps, using: &random)) % steps
            for step in 0..<steps {
                inputs += (0..<symbols).map { ($0 == shown[step] ? 1 : 0) + 0.15 * random.normal() }
                inputs += [step == first || step == second ? 1 : 0, Float(step) / Float(steps)]
            }
            labels.append(Int64(shown[min(first, second)]))
        }
        try NPZ.write(
            [
                ("input", Tensor(shape: [count, steps, features], inputs)),
                ("labels", Tensor(shape: [count], labels)),
            ], to: file)
    }

    private func run(
        _ model: String, learningRate: Double, epochs: Int, location: SourceLocation = #_sourceLocation
    ) throws -> (fp32: Double, quantized: Double, trained: Double, output: URL, scratch: ScratchFolder) {
        let scratch = try ScratchFolder()
        let path = TestJob.repository.appendingPathComponent("Tests/Golden/Sequences/\(model).onnx").path
        try Self.write(2048, key: 5, to: scratch.url.appendingPathComponent("training.npz"))
        try Self.write(1000, key: 6, to: scratch.url.appendingPathComponent("evaluation.npz"))
        let file = scratch.url.appendingPathComponent("job.yml")
        try """
        model: \(path)
        dataset:
          calibration: {path: training.npz, samples: 200}
          training: {path: training.npz}
          evaluation: {path: evaluation.npz}
          batch: 32
        quantization: {config: default, scheme: tf_enhanced, activation_bitwidth: 8, parameter_bitwidth: 4}
        training:
          epochs: \(epochs)
          optimizer: {name: adam, learning_rate: \(learningRate)}
          schedule: {decay: cosine}
          global_batch: 64
          slots: 4
        """.write(to: file, atomically: true, encoding: .utf8)
        let output = scratch.url.appendingPathComponent("output")
        let process = try QuantSimProcess(
            ["run", file.path, "--workers", "2", "--output", output.path], in: scratch.url)
        #expect(
            try process.exitCode(withinSeconds: 300) == 0, "\(process.standardError)", sourceLocation: location)
        let accuracy = try TestJob.report(output).accuracy
        return (
            try #require(accuracy.fp32), try #require(accuracy.quantized), try #require(accuracy.trained), output,
            scratch
        )
    }

    @Test func anLSTMRegainsWhatQuantizationCosts() throws {
        let result = try run("lstm", learningRate: 2e-3, epochs: 4)
        #expect(result.fp32 > 97)
        #expect(result.quantized < result.fp32 - 5, "\(result)")
        #expect(result.trained > result.fp32 - 3 && result.trained > result.quantized + 4, "\(result)")
        // W and R have grids of their own.
        let file = result.output.appendingPathComponent("model.encodings")
        let encodings = try EncodingsFile.read(Data(contentsOf: file), file: file.path)
        for name in ["cells.w", "cells.r"] {
            #expect(encodings.parameters[name]?.encodings.map(\.bitwidth) == [4], "\(name)")
        }
    }

    @Test func aTransformerRegainsWhatQuantizationCosts() throws {
        let result = try run("transformer", learningRate: 2e-3, epochs: 4)
        #expect(result.fp32 > 97)
        #expect(result.quantized < result.fp32 - 5, "\(result)")
        #expect(result.trained > result.fp32 - 3 && result.trained > result.quantized + 4, "\(result)")
    }
}
