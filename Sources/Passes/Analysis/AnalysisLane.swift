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
        var samples: SampleBatches
    }

    private let models: AnalysisModels
    private let tiles: SampleTiles
    /// Scores per sample, where labels count.
    private let classes: Int?

    init(_ models: AnalysisModels) throws {
        self.models = models
        tiles = SampleTiles(models.reference.graph, models.task.pass)
        classes = models.task.countsLabels ? try models.reference.classes(of: models.task.pass) : nil
    }

    func prepare(shard: Int, payload: Data) throws -> Prepared {
        guard let parts = AnalysisPayload(decoding: payload) else {
            throw ShardFailure(permanent: true, code: "payload")
        }
        let samples = try ShardPayload(decoding: parts.samples).samples
        return Prepared(
            block: parts.block, samples: try SampleDecoding(models.task.pass, classes: classes).batches(of: samples))
    }

    func makeLane(keeping memory: LaneMemory) throws -> AnalysisLane {
        try AnalysisLane(models, tiles, classes: classes)
    }
}

/// Compares a block of variants with the FP32 model, over the samples of one shard at a time. Belongs to one thread.
final class AnalysisLane: ShardLane {
    /// Elements of outputs of the FP32 model that are kept at a time: 16 MB.
    private static let keptElements = 4 << 20

    private let models: AnalysisModels
    private let tiles: SampleTiles
    private let classes: Int?
    private let quantizers: [String: FakeQuantizer]
    /// All variants are computed with the same taps, so that they differ in nothing but what is rounded.
    private let taps: Set<String>
    private let reference: ModelLane

    private var output: String { models.task.pass.output }

    init(_ models: AnalysisModels, _ tiles: SampleTiles, classes: Int?) throws {
        (self.models, self.tiles, self.classes) = (models, tiles, classes)
        quantizers = try models.task.activations.mapValues { try FakeQuantizer($0) }
        taps = Set(quantizers.keys)
        reference = ModelLane(models.reference, taps: taps)
    }

    func compute(_ prepared: AnalysisExecutor.Prepared) throws -> Data {
        var result = AnalysisResult()
        let variants = models.task.variants(ofBlock: prepared.block)
        try prepared.samples.forEach { batch in
            for index in variants.indices { result.variants[index, default: .init()].counts.add(batch) }
            for group in batch.groups { try analyze(group, variants, into: &result) }
        }
        return result.encoded()
    }

    private func analyze(
        _ group: SampleGroup, _ variants: ArraySlice<AnalysisVariant>, into result: inout AnalysisResult
    ) throws {
        // So many tiles at a time that the outputs of the FP32 model take little memory.
        var rest = try tiles.tiles(of: group)[...]
        while !rest.isEmpty {
            let (own, outputs) = try outputs(of: group, rest)
            rest = rest.dropFirst(own.count)
            for (index, variant) in zip(variants.indices, variants) {
                try compare(variant, with: outputs, group, own, into: &result.variants[index, default: .init()])
            }
            if variants.contains(.quantized) {
                let quantized = ModelLane(models.model(.quantized), taps: taps)
                try LayerComparison(reference: reference, other: quantized, quantizers)
                    .compare(group, own, into: &result.layers)
            }
        }
    }

    /// Of the FP32 model, by tile: of the first one, and of others as long as these are not too many elements.
    private func outputs(
        of group: SampleGroup, _ tiles: ArraySlice<Range<Int>>
    ) throws -> (tiles: ArraySlice<Range<Int>>, outputs: [[Float]]) {
        var outputs: [[Float]] = []
        var count = 0
        for tile in tiles {
            guard outputs.isEmpty || count < Self.keptElements else { break }
            try reference.run(group, tiles: [tile], outputs: { _, plan in outputs.append(plan.floats(of: output)) })
            count += outputs.last?.count ?? 0
        }
        return (tiles.prefix(outputs.count), outputs)
    }

    private func compare(
        _ variant: AnalysisVariant, with reference: [[Float]], _ group: SampleGroup, _ tiles: ArraySlice<Range<Int>>,
        into result: inout AnalysisResult.Variant
    ) throws {
        var tile = 0
        func take(_ samples: Range<Int>, _ output: UnsafeBufferPointer<Float>) {
            reference[tile].withUnsafeBufferPointer { result.output.add(output, comparedWith: $0) }
            tile += 1
            if let classes, !group.labels.isEmpty, output.count == samples.count * classes {
                for (row, sample) in samples.enumerated() {
                    let scores = UnsafeBufferPointer(rebasing: output[row * classes..<(row + 1) * classes])
                    result.counts.count(scores: scores, label: group.labels[sample])
                }
            }
        }
        guard variant != .fp32 else {
            for (samples, output) in zip(tiles, reference) { output.withUnsafeBufferPointer { take(samples, $0) } }
            return
        }
        let tensors = models.task.tensors(in: variant)
        let own = quantizers.filter { tensors.contains($0.key) }
        let model = models.model(variant)
        let lane = model === models.reference ? self.reference : ModelLane(model, taps: taps)
        try lane.run(
            group, tiles: tiles, tap: { own.apply(to: $0) },
            outputs: { samples, plan in plan.withFloats(of: output) { take(samples, $0) } })
    }
}
