import Cluster
import Datasets
import Foundation
import Graph
import Nodes
import Operators
import Quantization
import Support
import Tensors

/// Counts correct predictions; activations are quantized where encodings are given.
package struct Evaluation: SampleWorkload {
    package typealias Result = EvaluationResult
    /// As in descriptors.
    package static let name = "evaluation"

    /// Its parameters are rounded before the samples run.
    package var pass: PassSpecification
    /// Encodings of what changes with the sample. Those of constants are the pass's parameters.
    package var activations: [String: TensorEncodings]

    package init(_ pass: PassSpecification, activations: [String: TensorEncodings]) {
        self.pass = pass
        self.activations = activations
    }

    /// The model with its parameters rounded, and its biases as integer kernels hold them.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        try EvaluationExecutor(self, SharedModel(graph(worker)))
    }

    /// What is evaluated but for its activations, which are rounded as they come.
    func graph(_ worker: WorkerContext) throws -> Graph {
        try worker.graph(pass.model).simulatingBiases(pass.parameters.merging(activations) { $1 })
            .simulatingParameters(pass.parameters)
    }
}

private struct EvaluationExecutor: ShardExecutor {
    private let task: Evaluation
    private let model: SharedModel
    private let tiles: SampleTiles
    /// Scores per sample, where samples have labels: the elements of a row of the evaluated output, whose further axes may be of
    /// extent one.
    private let classes: Int

    init(_ task: Evaluation, _ model: SharedModel) throws {
        self.task = task
        self.model = model
        tiles = SampleTiles(model.graph, task.pass)
        classes = try model.classes(of: task.pass)
    }

    func prepare(shard: Int, payload: Data) throws -> SampleBatches {
        try SampleDecoding(task.pass, classes: classes).batches(of: ShardPayload(decoding: payload).samples)
    }

    func makeLane(keeping memory: LaneMemory) throws -> EvaluationLane {
        try EvaluationLane(task, model, tiles, classes: classes)
    }
}

/// Counts the correct predictions of one shard at a time. Belongs to one thread.
private final class EvaluationLane: ShardLane {
    private let lane: ModelLane
    private let tiles: SampleTiles
    private let output: String
    private let classes: Int
    private let quantizers: [String: FakeQuantizer]

    init(_ task: Evaluation, _ model: SharedModel, _ tiles: SampleTiles, classes: Int) throws {
        lane = ModelLane(model, taps: Set(task.activations.keys))
        self.tiles = tiles
        output = task.pass.output
        self.classes = classes
        quantizers = try task.activations.mapValues { try FakeQuantizer($0) }
    }

    func compute(_ samples: SampleBatches) throws -> Data {
        var result = EvaluationResult()
        try samples.forEach { batch in
            result.add(batch)
            for group in batch.groups { try count(group, into: &result) }
        }
        return result.encoded()
    }

    private func count(_ group: SampleGroup, into result: inout EvaluationResult) throws {
        try lane.run(
            group, tiles: tiles.tiles(of: group),
            tap: { [quantizers] tap in quantizers.apply(to: tap) },
            outputs: { samples, plan in
                try plan.withFloats(of: output) { scores in
                    let size = scores.count / samples.count
                    // Without labels a row may have any number of elements.
                    guard scores.count == samples.count * (group.labels.isEmpty ? size : classes) else {
                        throw GraphError(
                            .shapeMismatch, tensor: output,
                            expected: "\(samples.count) rows of \(classes) scores, as the samples have labels",
                            found: "\(scores.count) elements")
                    }
                    for (row, sample) in samples.enumerated() {
                        let own = UnsafeBufferPointer(rebasing: scores[row * size..<(row + 1) * size])
                        if own.contains(where: \.isNaN) { result.undefined += 1 }
                        if !group.labels.isEmpty { result.count(scores: own, label: group.labels[sample]) }
                    }
                }
            })
    }
}

/// How often a model was right.
package struct EvaluationResult: Codable, Equatable, MergeableResult {
    /// Without those that could not be decoded.
    package var samples = 0
    /// Samples that could not be decoded.
    package var skipped = 0
    /// Of some of these.
    package var badNames = BadSampleNames()
    /// Samples that had a label.
    package var labelled = 0
    /// Labelled samples whose class was the likeliest.
    package var top1 = 0
    /// Labelled samples whose class was among the five likeliest.
    package var top5 = 0
    /// Samples with a score that is NaN.
    package var undefined = 0

    /// Counts the samples themselves.
    mutating func add(_ batch: SampleBatch) {
        samples += batch.count
        skipped += batch.skipped
        badNames.merge(batch.badNames)
    }

    /// Adds what was counted in other samples.
    package mutating func merge(_ other: EvaluationResult) {
        samples += other.samples
        skipped += other.skipped
        badNames.merge(other.badNames)
        labelled += other.labelled
        top1 += other.top1
        top5 += other.top5
        undefined += other.undefined
    }

    package var sampleCount: Int { samples &+ skipped }

    package var isSound: Bool {
        [samples, skipped, labelled, top1, top5, undefined].areSoundCounts && top1 <= top5 && top5 <= labelled
            && labelled <= samples && undefined <= samples && badNames.areSound(of: skipped)
    }

    /// Whether accuracy means anything: every sample had a label.
    package var isLabelled: Bool { samples > 0 && labelled == samples }

    /// Nil where samples lack labels.
    package var top1Percent: Double? { isLabelled ? 100 * Double(top1) / Double(samples) : nil }
    /// Nil where samples lack labels.
    package var top5Percent: Double? { isLabelled ? 100 * Double(top5) / Double(samples) : nil }

    /// Counts one prediction.
    /// - Parameter scores: one per class. Of equal scores the lower class comes first; NaN comes last.
    package mutating func count(scores: UnsafeBufferPointer<Float>, label: Int) {
        let own = scores[label]
        var better = 0
        for (index, score) in scores.enumerated() where index != label {
            if score > own || (score == own && index < label) || (own.isNaN && (!score.isNaN || index < label)) {
                better += 1
            }
        }
        labelled += 1
        top1 += better == 0 ? 1 : 0
        top5 += better < 5 ? 1 : 0
    }

    /// The six counts and the names.
    package func encoded() -> Data {
        var writer = ByteWriter(counts: [samples, skipped, labelled, top1, top5, undefined])
        badNames.append(to: &writer)
        return writer.data
    }

    /// Of no samples.
    package init() {}

    /// - Throws: `ByteCodingError` where the bytes are not six counts and names.
    package init(decoding data: Data) throws(ByteCodingError) {
        var reader = ByteReader(data, record: "evaluation result")
        let counts = try reader.takeCounts(6)
        badNames = try BadSampleNames(from: &reader)
        try reader.finish()
        (samples, skipped, labelled) = (counts[0], counts[1], counts[2])
        (top1, top5, undefined) = (counts[3], counts[4], counts[5])
    }
}
