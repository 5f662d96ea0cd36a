import Cluster
import Datasets
import Foundation
import Graph
import Nodes
import Operators
import Quantization
import Support
import Tensors

/// Compares the evaluated output of the quantized model with that of the FP32 model: what can be said of samples without
/// labels.
package struct Agreement: SampleWorkload {
    package typealias Result = AgreementResult
    /// As in descriptors.
    package static let name = "agreement"

    /// The quantized model. Its parameters are rounded before the samples run.
    package var pass: PassSpecification
    /// Encodings of what changes with the sample. Those of constants are the pass's parameters.
    package var activations: [String: TensorEncodings]
    /// Digest of the artifact that holds the FP32 model.
    package var reference: Data

    /// - Parameters:
    ///   - evaluation: of the quantized model.
    ///   - reference: digest of the artifact that holds the FP32 model.
    package init(_ evaluation: Evaluation, with reference: Data) {
        (pass, activations) = (evaluation.pass, evaluation.activations)
        self.reference = reference
    }

    /// That of the FP32 model, too.
    package var models: [Data] { [pass.model, reference] }

    /// The FP32 model, and the quantized one as it is evaluated.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        let graph = try Evaluation(pass, activations: activations).graph(worker)
        return AgreementExecutor(
            self, reference: SharedModel(try worker.graph(reference)), quantized: SharedModel(graph))
    }
}

private struct AgreementExecutor: ShardExecutor {
    private let task: Agreement
    private let reference: SharedModel
    private let quantized: SharedModel
    private let tiles: SampleTiles

    init(_ task: Agreement, reference: SharedModel, quantized: SharedModel) {
        (self.task, self.reference, self.quantized) = (task, reference, quantized)
        // Of the quantized model, for both.
        tiles = SampleTiles(quantized.graph, task.pass)
    }

    func prepare(shard: Int, payload: Data) throws -> SampleBatches {
        try SampleDecoding(task.pass).batches(of: ShardPayload(decoding: payload).samples)
    }

    func makeLane(keeping memory: LaneMemory) throws -> AgreementLane {
        AgreementLane(task, reference, quantized, tiles, try task.activations.mapValues { try FakeQuantizer($0) })
    }
}

/// Compares the outputs of one shard at a time, a tile after the other. Belongs to one thread.
private final class AgreementLane: ShardLane {
    private let model: SharedModel
    private let reference: ModelLane
    private let quantized: ModelLane
    private let tiles: SampleTiles
    private let output: String
    private let quantizers: [String: FakeQuantizer]

    init(
        _ task: Agreement, _ reference: SharedModel, _ quantized: SharedModel, _ tiles: SampleTiles,
        _ quantizers: [String: FakeQuantizer]
    ) {
        model = reference
        self.reference = ModelLane(reference, taps: [])
        self.quantized = ModelLane(quantized, taps: Set(task.activations.keys))
        (self.tiles, self.quantizers) = (tiles, quantizers)
        output = task.pass.output
    }

    func compute(_ samples: SampleBatches) throws -> Data {
        var result = AgreementResult()
        try samples.forEach { batch in
            result.samples += batch.count
            result.skipped += batch.skipped
            result.badNames.merge(batch.badNames)
            for group in batch.groups { try compare(group, into: &result) }
        }
        return result.encoded()
    }

    private func compare(_ group: SampleGroup, into result: inout AgreementResult) throws {
        // Samples of one shape have outputs of one shape.
        let classes = try model.scores(of: output, group.shapes(samples: 1))
        for tile in try tiles.tiles(of: group) {
            var expected: [Float] = []
            try reference.run(group, tiles: [tile], outputs: { _, plan in expected = plan.floats(of: output) })
            try quantized.run(
                group, tiles: [tile], tap: { [quantizers] tap in quantizers.apply(to: tap) },
                outputs: { samples, plan in
                    try plan.withFloats(of: output) { found in
                        guard found.count == expected.count, expected.count % samples.count == 0 else {
                            throw GraphError(
                                .shapeMismatch, tensor: output,
                                expected: "\(expected.count) elements, as of FP32", found: "\(found.count) elements")
                        }
                        expected.withUnsafeBufferPointer {
                            result.add(found, comparedWith: $0, samples: samples.count, classes: classes)
                        }
                    }
                })
        }
    }
}

/// How near the quantized model's output is to that of the FP32 model. Merging is exact.
package struct AgreementResult: Codable, Equatable, MergeableResult {
    /// Without those that could not be decoded.
    package var samples = 0
    /// Samples that could not be decoded.
    package var skipped = 0
    /// Of some of these.
    package var badNames = BadSampleNames()
    /// Samples whose scores are of classes.
    package var classified = 0
    /// Of these, those of which both models give the greatest score to the same class.
    package var agreeing = 0
    /// Samples of which one of the outputs has a NaN.
    package var undefined = 0
    /// The output beside that of the FP32 model.
    package var output = NoiseStatistics()

    enum CodingKeys: String, CodingKey {
        case samples, skipped, badNames, classified, agreeing, undefined, output
    }

    /// Of no samples.
    package init() {}

    package var sampleCount: Int { samples &+ skipped }

    package var isSound: Bool {
        [samples, skipped, classified, agreeing, undefined].areSoundCounts && agreeing <= classified
            && classified <= samples && undefined <= samples && output.isAddable
            && badNames.areSound(of: skipped)
    }

    /// Nil where the output is not scores of classes.
    package var agreeingTop1: Int? { samples > 0 && classified == samples ? agreeing : nil }

    /// Adds the outputs of samples.
    /// - Parameters:
    ///   - found: of the quantized model, [samples, elements].
    ///   - reference: of the FP32 model, as many.
    ///   - classes: scores of a sample; nil where its elements are no scores.
    mutating func add(
        _ found: UnsafeBufferPointer<Float>, comparedWith reference: UnsafeBufferPointer<Float>, samples: Int,
        classes: Int?
    ) {
        output.add(found, comparedWith: reference)
        let size = found.count / samples
        for row in 0..<samples {
            let own = UnsafeBufferPointer(rebasing: found[row * size..<(row + 1) * size])
            let expected = UnsafeBufferPointer(rebasing: reference[row * size..<(row + 1) * size])
            if own.contains(where: \.isNaN) || expected.contains(where: \.isNaN) { undefined += 1 }
            if classes == size {
                classified += 1
                if Self.likeliest(own) == Self.likeliest(expected) { agreeing += 1 }
            }
        }
    }

    /// The first of the greatest scores.
    private static func likeliest(_ scores: UnsafeBufferPointer<Float>) -> Int {
        scores.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
    }

    /// Adds what was found in other samples.
    package mutating func merge(_ other: AgreementResult) {
        samples += other.samples
        skipped += other.skipped
        badNames.merge(other.badNames)
        classified += other.classified
        agreeing += other.agreeing
        undefined += other.undefined
        output.merge(other.output)
    }

    /// Equal results are equal bytes.
    package func encoded() -> Data {
        // Integers and their names alone: there is nothing that JSON cannot hold.
        (try? stableJSON()) ?? Data()
    }

    /// - Throws: `DecodingError`.
    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(AgreementResult.self, from: data)
    }
}
