import Cluster
import Execution
import Foundation
import Graph
import Quantization
import Tensors

/// Counts correct predictions of shards, one shard at a time. Belongs to one thread.
final class EvaluationLane: ShardLane {
    private let lane: ModelLane
    private let tile: Int
    private let output: String
    /// Scores per sample.
    private let classes: Int
    private let quantizers: [String: FakeQuantizer]

    init(
        _ model: SharedModel, activations: [String: TensorEncodings], output: String, classes: Int, tile: Int
    ) throws {
        lane = ModelLane(model, taps: Set(activations.keys))
        self.tile = tile
        self.output = output
        self.classes = classes
        quantizers = try activations.mapValues { try FakeQuantizer($0) }
    }

    func compute(_ batch: SampleBatch) throws -> Data {
        try reportingFailure { try evaluate(batch) }
    }

    private func evaluate(_ batch: SampleBatch) throws -> Data {
        var result = EvaluationResult()
        result.samples = batch.count
        result.skipped = batch.skipped
        try lane.run(
            batch.inputs, count: batch.count, tile: tile,
            tap: { [quantizers] tap in quantizers.apply(to: tap) },
            outputs: { [output, classes] samples, plan in
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

extension [String: FakeQuantizer] {
    /// Quantizes and dequantizes the tapped value in place. Zeros that fill up a layout stay zero, as every encoding
    /// represents zero exactly.
    func apply(to tap: Plan.Tap) {
        guard let start = tap.elements.baseAddress else { return }
        self[tap.name]?.apply(inPlace: start, count: tap.elements.count)
    }
}
