import Cluster
import Datasets
import Foundation
import Graph
import Quantization
import Tensors

/// Counts correct predictions; activations are quantized where encodings are given.
package struct Evaluation: SampleWorkload {
    package typealias Result = EvaluationResult
    package static let name = "evaluation"

    package var pass: PassSpecification
    /// Encodings of what changes with the sample. Those of constants are the pass's parameters.
    package var activations: [String: TensorEncodings]

    package init(_ pass: PassSpecification, activations: [String: TensorEncodings]) {
        self.pass = pass
        self.activations = activations
    }

    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        let graph = try worker.graph(pass.model).simulatingBiases(pass.parameters.merging(activations) { $1 })
            .simulatingParameters(pass.parameters)
        return try EvaluationExecutor(self, SharedModel(graph))
    }
}

private struct EvaluationExecutor: ShardExecutor {
    private let task: Evaluation
    private let model: SharedModel
    /// Scores per sample: the elements of a row of the evaluated output, whose further axes may be of extent one.
    private let classes: Int

    init(_ task: Evaluation, _ model: SharedModel) throws {
        self.task = task
        self.model = model
        classes = try model.classes(of: task.pass)
    }

    func prepare(shard: Int, payload: Data) throws -> SampleBatch {
        try SampleBatch(decoding: ShardPayload(decoding: payload).samples, as: task.pass, classes: classes)
    }

    func makeLane(keeping memory: LaneMemory) throws -> EvaluationLane { try EvaluationLane(task, model, classes: classes) }
}

/// Counts the correct predictions of one shard at a time. Belongs to one thread.
private final class EvaluationLane: ShardLane {
    private let lane: ModelLane
    private let pass: PassSpecification
    private let classes: Int
    private let quantizers: [String: FakeQuantizer]

    init(_ task: Evaluation, _ model: SharedModel, classes: Int) throws {
        lane = ModelLane(model, taps: Set(task.activations.keys))
        pass = task.pass
        self.classes = classes
        quantizers = try task.activations.mapValues { try FakeQuantizer($0) }
    }

    func compute(_ batch: SampleBatch) throws -> Data {
        var result = EvaluationResult()
        result.samples = batch.count
        result.skipped = batch.skipped
        try lane.run(
            batch.inputs, count: batch.count, tile: pass.tile,
            tap: { [quantizers] tap in quantizers.apply(to: tap) },
            outputs: { [output = pass.output, classes] samples, plan in
                guard !batch.labels.isEmpty else { return }
                let scores = plan.output(output)
                guard scores.count == samples.count * classes else {
                    throw GraphError(
                        .shapeMismatch, tensor: output, expected: "\(samples.count) rows of \(classes) scores",
                        found: "\(scores.count) elements")
                }
                for (row, sample) in samples.enumerated() {
                    let own = UnsafeBufferPointer(rebasing: scores[row * classes..<(row + 1) * classes])
                    result.count(scores: own, label: batch.labels[sample])
                }
            })
        return result.encoded()
    }
}
