import Foundation
import ONNX
import Quantization
import Reports
import Support
import Tensors
import Testing
import TestSupport

/// A training with each loss from end to end: real processes, a loss that falls, the same weights for any number of workers.
@Suite(.serialized)
struct TrainingLossTests {
    /// Two layers on 6 numbers, random samples with targets or labels, global batches of 16 in 4 slots.
    private struct RegressionJob {
        let folder: URL
        var file: URL { folder.appendingPathComponent("job.yml") }

        /// - Parameters:
        ///   - targets: name of the array of targets; nil for none.
        ///   - loss: adds an input `targets` and an output `loss`, of one element.
        ///   - squares: of them, another output.
        ///   - bits: of weights; few, for outputs that differ from the untrained model's by more than steps of the grid.
        init(
            in folder: URL, _ training: String, targets: String? = nil, labels: Bool = false, loss: Bool = false,
            squares: Bool = false, onlyLoss: Bool = false, bits: Int = 4
        ) throws {
            self.folder = folder
            var random = CounterRandom(key: 11, 0)
            func tensor(_ extents: Int...) -> Tensor {
                let shape = Shape(extents)
                return Tensor(
                    shape: shape, (0..<shape.count).map { _ in Float(random.next() >> 40) / 16_777_216 - 0.5 })
            }
            var model = ModelBuilder()
            model.input("x", "n", "6")
            model.constant("first", tensor(6, 12))
            model.constant("second", tensor(12, 3))
            model.node("MatMul", ["x", "first"], ["hidden"])
            model.node("Relu", ["hidden"], ["rectified"])
            model.node("MatMul", ["rectified", "second"], ["output"])
            if !onlyLoss { model.output("output", "n", "3") }
            if loss {
                model.input("targets", "n", "3")
                model.constant("one", Tensor(shape: [1], [Float(1)]))
                model.node("Sub", ["output", "targets"], ["difference"])
                model.node("Mul", ["difference", "difference"], ["squares"])
                model.node("ReduceMean", ["squares"], ["mean"])
                model.node("Mul", ["mean", "one"], ["loss"])
                model.output("loss", "1", "1")
                if squares { model.output("squares", "n", "3") }
            }
            try model.file.encoded().write(to: folder.appendingPathComponent("model.onnx"))
            let x = tensor(96, 6)
            var arrays = [("x", x)]
            if let targets {
                // A function that the network can come near to.
                let rows = x.elements(as: Float.self)
                let values = (0..<96 * 3).map { max(rows[$0 / 3 * 6 + $0 % 3], 0) - rows[$0 / 3 * 6 + $0 % 3 + 3] }
                arrays.append((targets, Tensor(shape: [96, 3], values)))
            }
            if labels { arrays.append(("labels", Tensor(shape: [96], (0..<96).map { Int64($0 % 3) }))) }
            try NPZ.write(arrays, to: folder.appendingPathComponent("data.npz"))
            try """
            model: model.onnx
            dataset:
              calibration: {path: data.npz}
              training: {path: data.npz}
            quantization: {activation_bitwidth: 8, parameter_bitwidth: \(bits)}
            training: {global_batch: 16, slots: 4, epochs: 8, \(training)}
            """.write(to: file, atomically: true, encoding: .utf8)
        }
    }

    /// Runs a job with one worker and with two.
    private func report(
        _ job: RegressionJob, saying words: String..., at location: SourceLocation = #_sourceLocation
    ) throws -> (report: RunReport, model: ONNXFile) {
        var digests: Set<Report.Digest> = []
        var last: (RunReport, ONNXFile)?
        for workers in [1, 2] {
            let run = try ClusterRun(job.file, in: job.folder, workers: workers, lanes: 1)
            #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)", sourceLocation: location)
            for text in words {
                #expect(
                    run.coordinator.standardError.contains(text), "\(run.coordinator.standardError)",
                    sourceLocation: location)
            }
            let report = try TestJob.report(run.output)
            digests.insert(report.digest)
            last = (report, try ONNXFile.read(run.output.appendingPathComponent("model.onnx")))
        }
        #expect(digests.count == 1, sourceLocation: location)
        let (report, model) = try #require(last)
        let epochs = try #require(report.training?.epochs)
        #expect(epochs.count == 8, sourceLocation: location)
        #expect(epochs[7].loss < 0.8 * epochs[0].loss, "\(epochs.map(\.loss))", sourceLocation: location)
        return (report, model)
    }

    @Test func squaredErrorOfTargets() throws {
        let scratch = try ScratchFolder()
        let (report, _) = try report(
            RegressionJob(
                in: scratch.url, "loss: mse, optimizer: {learning_rate: 0.05, nesterov: true}", targets: "output"),
            saying: "loss mse (targets: the arrays output)", "8 epochs of 6 steps, global batch 16 in 4 slots",
            "sgd with learning rate 0.05, momentum 0.9 (Nesterov), weight decay 0, rate divided by 10 every 5 epochs")
        #expect(report.training?.epochs.allSatisfy { $0.accuracy == nil } == true)
        #expect(
            report.job.training?["schedule"]
                == .object([
                    "decay": .string("divide"), "divide_by": .number(10), "every_epochs": .number(5),
                    "warm_up_steps": .number(0),
                ]))
    }

    @Test func squaredErrorOfTheUntrainedOutputs() throws {
        let scratch = try ScratchFolder()
        _ = try report(
            RegressionJob(
                in: scratch.url,
                "loss: mse, optimizer: {name: adam, learning_rate: 0.003}, clip_norm: 1, "
                    + "schedule: {decay: cosine, warm_up_steps: 3}", bits: 2),
            saying: "loss mse (targets: the FP32 model's outputs, as the samples have no array output)",
            "adam with learning rate 0.003, betas 0.9 and 0.999, epsilon 1e-08, weight decay 0, clip norm 1, "
                + "rate falls as a cosine to 0 of it, warm-up of 3 steps")
    }

    @Test func distillation() throws {
        let scratch = try ScratchFolder()
        let (report, _) = try report(
            RegressionJob(
                in: scratch.url,
                "loss: {name: distillation, temperature: 2}, optimizer: {name: adamw, learning_rate: 0.003}",
                labels: true, bits: 2),
            saying: "loss distillation from the FP32 model (temperature 2, axis 1)")
        #expect(report.training?.epochs.allSatisfy { $0.accuracy != nil } == true)
    }

    /// What only the loss needs is neither calibrated nor exported.
    @Test func anOutputOfTheModel() throws {
        let scratch = try ScratchFolder()
        let job = try RegressionJob(
            in: scratch.url, "loss: {output: loss}, optimizer: {learning_rate: 0.05}", targets: "targets", loss: true)
        let (report, model) = try report(job, saying: "loss the model's output loss")
        #expect(report.job.training?["loss"] == .object(["output": .string("loss")]))
        #expect(model.model.graph.output.map(\.name) == ["output"])
        #expect(model.model.graph.input.map(\.name) == ["x"])
        #expect(model.model.graph.node.map(\.opType) == ["MatMul", "Relu", "MatMul"])

        // The same as the loss that the nodes compute, but for the last bits.
        let plain = try ScratchFolder()
        let other = try RegressionJob(
            in: plain.url, "loss: mse, optimizer: {learning_rate: 0.05}", targets: "output")
        let (expected, _) = try self.report(other)
        let losses = zip(report.training?.epochs ?? [], expected.training?.epochs ?? []).map { ($0.loss, $1.loss) }
        #expect(losses.allSatisfy { abs($0 - $1) < 0.02 * $1 }, "\(losses)")
    }

    /// A section without any keys trains.
    @Test func nothingButDefaults() throws {
        let scratch = try ScratchFolder()
        let job = try RegressionJob(in: scratch.url, "", labels: true)
        let text = try String(contentsOf: job.file, encoding: .utf8)
        try text.replacing(/training: \{global_batch.*/, with: "training: {}")
            .write(to: job.file, atomically: true, encoding: .utf8)
        let run = try ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 1)
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let report = try TestJob.report(run.output)
        // As many samples as there are, in whole slots.
        #expect(report.job.training?["global_batch"] == .number(96))
        #expect(report.job.training?["slots"] == .number(16))
        #expect(report.training?.steps == 15)
    }

    private func expectFailure(
        _ job: RegressionJob, naming words: String..., at location: SourceLocation = #_sourceLocation
    ) throws {
        let process = try QuantSimProcess(
            ["run", job.file.path, "--workers", "1", "--output", job.folder.appendingPathComponent("out").path],
            in: job.folder)
        #expect(try process.exitCode() == 42, "\(process.standardError)", sourceLocation: location)
        expectSentence(process.standardError, naming: words, at: location)
        // Before anything is computed.
        #expect(!process.standardError.contains("calibrate"), sourceLocation: location)
    }

    @Test func lossesThatDoNotFitTheModel() throws {
        let scratch = try ScratchFolder()
        try expectFailure(
            RegressionJob(in: scratch.url, "loss: {output: los}", targets: "targets", loss: true, squares: true),
            naming: "job.yml, line 6, training.loss.output", "output, loss or squares", "found los", "mean \"loss\"?")
        try expectFailure(
            RegressionJob(in: scratch.url, "loss: {output: squares}", targets: "targets", loss: true, squares: true),
            naming: "model.onnx", "tensor \"squares\"", "a loss of one float32 element", "[4, 3]")
        try expectFailure(
            RegressionJob(in: scratch.url, "loss: {output: loss}", targets: "targets", loss: true, onlyLoss: true),
            naming: "job.yml, line 6, training.loss.output", "another output beside its loss", "only loss")
        try expectFailure(
            RegressionJob(in: scratch.url, "loss: {name: distillation, axis: 2}"),
            naming: "job.yml, line 6, training.loss", "an axis with two classes or more", "axis 2", "output of shape")
    }

    @Test func samplesThatDoNotFitTheLoss() throws {
        let scratch = try ScratchFolder()
        try expectFailure(
            RegressionJob(in: scratch.url, "loss: cross_entropy"),
            naming: "job.yml", "dataset.training", "labels, which the loss cross_entropy needs")
        try expectFailure(
            RegressionJob(in: scratch.url, "schedule: {warm_up_steps: 49}", labels: true),
            naming: "job.yml, line 6, training.schedule.warm_up_steps", "at most the 48 steps", "found 49")
        let missing = try RegressionJob(in: scratch.url, "loss: {output: loss}", targets: "wrong", loss: true)
        try expectFailure(missing, naming: "data.npz", "an array named targets", "found wrong, x")
    }
}
