import Cluster
import ClusterProtocol
import Datasets
import Execution
import Foundation
import Quantization

/// The shards of an analysis.
struct AnalysisExecutor: ShardExecutor {
    struct Prepared: Sendable {
        var block: Int
        var batch: SampleBatch
    }

    private let models: AnalysisModels
    /// Scores per sample, where labels count.
    private let classes: Int?

    init(_ models: AnalysisModels) throws {
        self.models = models
        classes = models.task.countsLabels ? try models.reference.classes(of: models.task.pass) : nil
    }

    func prepare(shard: Int, payload: Data) throws -> Prepared {
        guard let parts = AnalysisPayload(decoding: payload) else {
            throw ShardFailure(permanent: true, code: "payload")
        }
        let samples = try ShardPayload(decoding: parts.samples).samples
        return Prepared(
            block: parts.block, batch: try SampleBatch(decoding: samples, as: models.task.pass, classes: classes))
    }

    func makeLane(keeping memory: LaneMemory) throws -> AnalysisLane { try AnalysisLane(models, classes: classes) }
}

/// Compares a block of variants with the FP32 model, over the samples of one shard at a time. Belongs to one thread.
final class AnalysisLane: ShardLane {
    /// Elements of outputs of the FP32 model that are kept at a time: 16 MB.
    private static let keptElements = 4 << 20

    private let models: AnalysisModels
    private let classes: Int?
    private let quantizers: [String: FakeQuantizer]
    /// All variants are computed with the same taps, so that they differ in nothing but what is rounded.
    private let taps: Set<String>
    private let reference: ModelLane

    private var pass: PassSpecification { models.task.pass }

    init(_ models: AnalysisModels, classes: Int?) throws {
        self.models = models
        self.classes = classes
        quantizers = try models.task.activations.mapValues { try FakeQuantizer($0) }
        taps = Set(quantizers.keys)
        reference = ModelLane(models.reference, taps: taps)
    }

    func compute(_ prepared: AnalysisExecutor.Prepared) throws -> Data {
        try analyze(prepared.batch, block: prepared.block)
    }

    private func analyze(_ batch: SampleBatch, block: Int) throws -> Data {
        var result = AnalysisResult()
        let variants = models.task.variants(ofBlock: block)
        for index in variants.indices {
            var own = AnalysisResult.Variant()
            own.counts.samples = batch.count
            own.counts.skipped = batch.skipped
            own.counts.badNames = batch.badNames
            result.variants[index] = own
        }
        let perSample = max(try models.reference.classes(of: pass), 1)
        let tiles = max(Self.keptElements / (perSample * pass.tile), 1)
        for start in stride(from: 0, to: batch.count, by: tiles * pass.tile) {
            let samples = start..<min(start + tiles * pass.tile, batch.count)
            let outputs = try self.outputs(of: samples, in: batch)
            for (index, variant) in zip(variants.indices, variants) {
                try compare(variant, with: outputs, samples, batch, into: &result.variants[index, default: .init()])
            }
            if variants.contains(.quantized) {
                let quantized = ModelLane(models.model(.quantized), taps: taps)
                try LayerComparison(reference: reference, other: quantized, quantizers)
                    .compare(batch, samples, tile: pass.tile, into: &result.layers)
            }
        }
        return result.encoded()
    }

    /// Of the FP32 model, by tile.
    private func outputs(of samples: Range<Int>, in batch: SampleBatch) throws -> [[Float]] {
        var outputs: [[Float]] = []
        try reference.run(
            batch.inputs, count: batch.count, samples: samples, tile: pass.tile,
            outputs: { [output = pass.output] _, plan in outputs.append(Array(plan.output(output))) })
        return outputs
    }

    private func compare(
        _ variant: AnalysisVariant, with reference: [[Float]], _ samples: Range<Int>, _ batch: SampleBatch,
        into result: inout AnalysisResult.Variant
    ) throws {
        var tile = 0
        func take(_ samples: Range<Int>, _ output: UnsafeBufferPointer<Float>) {
            reference[tile].withUnsafeBufferPointer { result.output.add(output, comparedWith: $0) }
            tile += 1
            if let classes, !batch.labels.isEmpty, output.count == samples.count * classes {
                for (row, sample) in samples.enumerated() {
                    let scores = UnsafeBufferPointer(rebasing: output[row * classes..<(row + 1) * classes])
                    result.counts.count(scores: scores, label: batch.labels[sample])
                }
            }
        }
        guard variant != .fp32 else {
            var start = samples.lowerBound
            for output in reference {
                let end = min(start + pass.tile, samples.upperBound)
                output.withUnsafeBufferPointer { take(start..<end, $0) }
                start = end
            }
            return
        }
        let tensors = models.task.tensors(in: variant)
        let own = quantizers.filter { tensors.contains($0.key) }
        let model = models.model(variant)
        let lane = model === models.reference ? self.reference : ModelLane(model, taps: taps)
        try lane.run(
            batch.inputs, count: batch.count, samples: samples, tile: pass.tile,
            tap: { own.apply(to: $0) },
            outputs: { [output = pass.output] samples, plan in take(samples, plan.output(output)) })
    }
}
