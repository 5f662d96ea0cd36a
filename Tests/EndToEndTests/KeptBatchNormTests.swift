import Foundation
import ONNX
import Tensors
import Testing
import TestSupport

/// Batch norms that train with the statistics of slots. Real processes.
@Suite(.serialized)
struct KeptBatchNormTests {
    private static let kept = ["batch_norms": "kept", "reestimation_batches": "3"]

    @Test(arguments: [[:], ["gradient_bits": "16"], ["reestimation_batches": "0"]])
    func anyNumberOfWorkersAndLanes(_ settings: [String: String]) throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 20, settings: Self.kept.merging(settings) { $1 })
        let reports = try [(1, 1), (1, 2), (2, 1), (3, 1)].map { workers, lanes in
            let run = try ClusterRun(job.file, in: scratch.url, workers: workers, lanes: lanes)
            #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
            return try TestJob.report(run.output)
        }
        #expect(reports[0].digest.weights != nil)
        for report in reports {
            #expect(report.digest == reports[0].digest)
            #expect(report.training == reports[0].training)
        }
    }

    /// Workers that cannot reach each other have the coordinator add up; it makes no difference.
    @Test func workersWithoutPorts() throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 10, settings: Self.kept)
        let digests = try [nil, 0].map { port in
            let run = try ClusterRun(job.file, in: scratch.url, workers: 0, lanes: 1)
            for _ in 0..<2 { try run.addWorker(lanes: 1, peerPort: port) }
            #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
            return try TestJob.report(run.output).digest
        }
        #expect(digests[0] == digests[1])
    }

    /// What the report says of the trained model is what the exported files give. Per-channel weights lose their batch norms;
    /// with one encoding per tensor these stay in the exported model.
    @Test(arguments: [("default_per_channel", 0), ("default", 1)])
    func theExportedFilesAreTheModelThatWasEvaluated(_ config: String, leastNorms: Int) throws {
        let scratch = try ScratchFolder()
        let job = try TrainingJob(
            in: scratch.url, samples: 1600, config: config, evaluation: 2000, settings: Self.kept)
        let run = try ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 2)
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        let model = run.output.appendingPathComponent("model.onnx")
        let norms = try ONNXFile.read(model).model.graph.node.count { $0.opType == "BatchNormalization" }
        #expect(leastNorms == 0 ? norms == 0 : norms >= leastNorms)

        let outputs = scratch.url.appendingPathComponent("outputs.npz")
        let inference = try QuantSimProcess(
            [
                "infer", model.path, "--input", TrainingJob.evaluationSamples.path, "--output", outputs.path,
                "--encodings", run.output.appendingPathComponent("model.encodings").path,
            ], in: scratch.url)
        #expect(try inference.exitCode() == 0, "\(inference.standardError)")
        let scores = try #require(try NPZ.read(outputs).first?.tensor)
        let samples = try NPZ.read(TrainingJob.evaluationSamples)
        let labels = try #require(samples.first { $0.name == "labels" }?.tensor).elements(as: Int64.self)
        let values = scores.elements(as: Float.self)
        let correct = labels.indices.count { row in
            let own = values[10 * row..<10 * (row + 1)]
            return own.firstIndex(of: own.max() ?? 0) == 10 * row + Int(labels[row])
        }
        let accuracy = try TestJob.report(run.output).accuracy
        let trained = try #require(accuracy.trained)
        // In tiles of other sizes, which rounds a few values to a neighbour on their grid.
        #expect(abs(100 * Double(correct) / Double(labels.count) - trained) <= 0.15)
        #expect(trained >= 90)
    }

    @Test func aModelWithoutBatchNormsHasNoneToKeep() throws {
        let scratch = try ScratchFolder()
        let model = scratch.url.appendingPathComponent("linear.onnx")
        try SmallModel.linear().serializedData().write(to: model)
        let job = try TrainingJob(in: scratch.url, model: model, settings: Self.kept)
        let run = try ClusterRun(job.file, in: scratch.url, workers: 0, lanes: 1)
        #expect(try run.coordinator.exitCode() == 42)
        #expect(run.coordinator.standardError.contains("a model with batch norms to keep"))
    }
}
