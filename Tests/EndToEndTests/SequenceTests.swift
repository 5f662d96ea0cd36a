import Foundation
import ONNX
import Quantization
import Tensors
import Testing
import TestSupport

/// Classifiers of sequences, an LSTM and a transformer, from 4-bit weights to fine-tuned ones: Tests/Golden/Sequences, made by
/// train.py there.
@Suite(.serialized)
struct SequenceTests {
    /// What train.py says: a number and a mark at each step, and how far it is; the class is the quarter of all sums that the
    /// sum of the two marked numbers is in.
    private static func write(_ count: Int, key: UInt64, to file: URL) throws {
        let (steps, features, bounds) = (12, 3, [Float(0.5).squareRoot(), 1, 2 - Float(0.5).squareRoot()])
        var random = CounterRandom(key: key, 0)
        var (inputs, labels): ([Float], [Int64]) = ([], [])
        for _ in 0..<count {
            let numbers = (0..<steps).map { _ in random.uniform() }
            let first = Int.random(in: 0..<steps, using: &random)
            let second = (first + Int.random(in: 1..<steps, using: &random)) % steps
            for step in 0..<steps {
                inputs += [numbers[step], step == first || step == second ? 1 : 0, Float(step) / Float(steps)]
            }
            labels.append(Int64(bounds.count { $0 < numbers[first] + numbers[second] }))
        }
        try NPZ.write(
            [
                ("input", Tensor(shape: [count, steps, features], inputs)),
                ("labels", Tensor(shape: [count], labels)),
            ], to: file)
    }

    private struct Run {
        let output: URL
        let report: RunReport
        let fp32, quantized, trained: Double
    }

    /// - Parameter length: of the training, as the job file has it.
    private func run(
        _ model: String, in folder: URL, learningRate: Double, length: String = "epochs: 3", workers: Int = 2
    ) throws -> Run {
        let path = TestJob.repository.appendingPathComponent("Tests/Golden/Sequences/\(model).onnx").path
        try Self.write(2048, key: 5, to: folder.appendingPathComponent("training.npz"))
        try Self.write(1000, key: 6, to: folder.appendingPathComponent("evaluation.npz"))
        let file = folder.appendingPathComponent("job.yml")
        try """
        model: \(path)
        dataset:
          calibration: {path: training.npz, samples: 200}
          training: {path: training.npz}
          evaluation: {path: evaluation.npz}
          batch: 32
        quantization: {config: default, scheme: tf, activation_bitwidth: 8, parameter_bitwidth: 4}
        training:
          \(length)
          optimizer: {name: adam, learning_rate: \(learningRate)}
          schedule: {decay: cosine}
          global_batch: 64
          slots: 4
        """.write(to: file, atomically: true, encoding: .utf8)
        let output = folder.appendingPathComponent("output-\(workers)")
        let process = try QuantSimProcess(
            ["run", file.path, "--workers", "\(workers)", "--output", output.path], in: folder)
        try #require(try process.exitCode(withinSeconds: 400) == 0, "\(process.standardError)")
        let report = try TestJob.report(output)
        return Run(
            output: output, report: report, fp32: try #require(report.accuracy.fp32),
            quantized: try #require(report.accuracy.quantized), trained: try #require(report.accuracy.trained))
    }

    @Test func anLSTMRegainsWhatQuantizationCosts() throws {
        let scratch = try ScratchFolder()
        let run = try run("lstm", in: scratch.url, learningRate: 3e-3)
        #expect(run.fp32 > 92 && run.quantized < run.fp32 - 15, "\(run)")
        #expect(run.trained > run.fp32 - 8 && run.trained > run.quantized + 15, "\(run)")
        // W and R have grids of their own.
        let file = run.output.appendingPathComponent("model.encodings")
        let encodings = try EncodingsFile.read(Data(contentsOf: file), file: file.path)
        for name in ["cells.w", "cells.r"] {
            #expect(encodings.parameters[name]?.encodings.map(\.bitwidth) == [4], "\(name)")
        }
    }

    @Test func aTransformerRegainsWhatQuantizationCosts() throws {
        let scratch = try ScratchFolder()
        let run = try run("transformer", in: scratch.url, learningRate: 1e-3)
        #expect(run.fp32 > 97 && run.quantized < run.fp32 - 6, "\(run)")
        #expect(run.trained > run.fp32 - 3 && run.trained > run.quantized + 6, "\(run)")
    }

    /// All that is trained of an LSTM moves, to the same bits for any number of workers.
    @Test func anLSTMIsTrainedToTheSameBits() throws {
        let scratch = try ScratchFolder()
        let runs = try [1, 2].map {
            try run("lstm", in: scratch.url, learningRate: 3e-3, length: "steps: 4", workers: $0)
        }
        #expect(runs[0].report.digest == runs[1].report.digest)
        let model = TestJob.repository.appendingPathComponent("Tests/Golden/Sequences/lstm.onnx")
        let (before, after) = (
            try ONNXFile.read(model), try ONNXFile.read(runs[0].output.appendingPathComponent("model.onnx"))
        )
        for name in ["cells.w", "cells.r", "cells.b"] {
            let values = try [before, after].map { try #require(try $0.tensor(name)).elements(as: Float.self) }
            #expect(values[0] != values[1], "\(name)")
        }
    }
}

extension ONNXFile {
    fileprivate func tensor(_ name: String) throws -> Tensor? {
        try model.graph.initializer.first { $0.name == name }.map { try tensor($0) }
    }
}
