import Cluster
import Execution
import Foundation
import Quantization
import Support
import Tensors
import Training

/// Finds the statistics that batch norms are to have over batches, which shards are; values are quantized where encodings are
/// given.
package struct BatchNormStatistics: ModelWorkload {
    /// As in descriptors.
    package static let name = "batch norm statistics"

    /// Its parameters are rounded before the batches run.
    package var pass: PassSpecification
    /// Those whose statistics are wanted.
    package var normalizations: [BatchNormPlan.Normalization]
    /// Encodings of what changes with the sample. Those of constants are the pass's parameters.
    package var activations: [String: TensorEncodings]

    package init(
        _ pass: PassSpecification, of normalizations: [BatchNormPlan.Normalization],
        activations: [String: TensorEncodings]
    ) {
        self.pass = pass
        self.normalizations = normalizations
        self.activations = activations
    }

    /// Where the statistics of each lie.
    package func layout() throws -> ParameterLayout { try ParameterLayout(normalizations.flatMap(\.entries)) }

    /// The model with its parameters rounded.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        NormalizationExecutor(
            task: self, model: SharedModel(try worker.graph(pass.model).simulatingParameters(pass.parameters)))
    }
}

private struct NormalizationExecutor: ShardExecutor {
    let task: BatchNormStatistics
    let model: SharedModel

    func prepare(shard: Int, payload: Data) throws -> SampleBatches {
        try SampleDecoding(task.pass).batches(of: SlotPayload(decoding: payload).samples)
    }

    func makeLane(keeping memory: LaneMemory) throws -> NormalizationLane { try NormalizationLane(task, model) }
}

/// Finds the statistics of one batch at a time, with those of the batch in every batch norm on the way: the mean, and in place
/// of the variance the mean square of the distance from the running mean, of which the variance over many batches follows
/// without loss. Belongs to one thread.
private final class NormalizationLane: ShardLane {
    private let model: SharedModel
    private let outputs: Set<String>
    private let layout: ParameterLayout
    private let normalizations: [String: BatchNormPlan.Normalization]
    /// Running means by output, around which mean squares are taken.
    private let origins: [String: [Float]]
    private let quantizers: [String: FakeQuantizer]
    /// The last one made: batches differ in size only where samples are left out.
    private var plan: (shapes: [String: Shape], plan: TrainingPlan)?

    init(_ task: BatchNormStatistics, _ model: SharedModel) throws {
        self.model = model
        normalizations = Dictionary(uniqueKeysWithValues: task.normalizations.map { ($0.output, $0) })
        outputs = Set(task.normalizations.map(\.output))
        origins = normalizations.compactMapValues { model.graph.constants[$0.mean]?.elements(as: Float.self) }
        layout = try task.layout()
        quantizers = try task.activations.mapValues { try FakeQuantizer($0) }
    }

    func compute(_ samples: SampleBatches) throws -> Data {
        var (count, skipped) = (0, 0)
        var found: [Float]?
        try samples.forEach { part in
            count += part.count
            skipped += part.skipped
            guard !part.groups.isEmpty else { return }
            guard let group = samples.sole else {
                throw TrainingError(
                    .invalidSetting, key: "training.batch_norms",
                    expected: "samples of one shape where batch norms are kept",
                    found: "a batch with samples of different shapes")
            }
            found = try statistics(of: group)
        }
        guard let found else { return NormalizationResult(skipped: skipped, count: layout.count).encoded() }
        do {
            return try NormalizationResult(samples: count, skipped: skipped, statistics: found).encoded()
        } catch let error as TrainingError {
            throw error.located(in: layout)
        }
    }

    private func statistics(of batch: SampleGroup) throws -> [Float] {
        var vector = [Float](repeating: 0, count: layout.count)
        try plan(batch.shapes(samples: batch.count)).run(
            feed: { try batch.feed($0, to: UnsafeMutableRawBufferPointer($1)) },
            typed: { try batch.feed($0, to: $1.bytes) },
            parameter: { _, _ in },
            tap: { [quantizers] tap in quantizers.apply(to: tap) },
            statistics: { found in
                guard let normalization = normalizations[found.output],
                    let mean = layout.range(of: normalization.mean),
                    let variance = layout.range(of: normalization.variance)
                else { return }
                vector.replaceSubrange(mean, with: found.mean)
                let origin = origins[found.output] ?? []
                vector.replaceSubrange(
                    variance,
                    with: origin.indices.map { channel in
                        let distance = Double(found.mean[channel]) - Double(origin[channel])
                        return Float(Double(found.variance[channel]) + distance * distance)
                    })
            },
            loss: { _ in })
        return vector
    }

    /// A plan that trains nothing, and so computes the forward pass alone.
    private func plan(_ shapes: [String: Shape]) throws -> TrainingPlan {
        if let plan, plan.shapes == shapes { return plan.plan }
        let made = try TrainingPlan(
            model.specialized(shapes), parameters: [], taps: Set(quantizers.keys), batchStatistics: outputs,
            weights: model.weights)
        plan = (shapes, made)
        return made
    }
}

/// Statistics of batch norms over batches: sums that are exact, so that any order and grouping gives the same
/// bits.
package struct NormalizationResult: Equatable, Sendable {
    /// Without those that could not be decoded.
    package private(set) var samples = 0
    /// Samples that could not be decoded.
    package private(set) var skipped = 0
    /// Each has an equal part in the mean, whatever its size, as in the reference.
    package private(set) var batches = 0
    private var sum: ExactSum

    /// - Parameter count: elements of `statistics`.
    package init(count: Int) {
        sum = ExactSum(count: count)
    }

    /// - Parameter statistics: of the batch.
    /// - Throws: `TrainingError` with the index of the first that is not finite.
    package init(samples: Int, skipped: Int, statistics: [Float]) throws {
        self.init(count: statistics.count)
        (self.samples, self.skipped) = (samples, skipped)
        try sum.add(statistics)
        batches = 1
    }

    /// Of a batch without samples.
    package init(skipped: Int, count: Int) {
        self.init(count: count)
        self.skipped = skipped
    }

    /// - Throws: `TrainingError` where the sums cannot be added up.
    package mutating func merge(_ other: NormalizationResult) throws {
        try sum.merge(other.sum)
        samples += other.samples
        skipped += other.skipped
        batches += other.batches
    }

    /// The mean over the batches; nil where there is none.
    package var mean: [Float]? { batches > 0 ? sum.value(scale: 1 / Double(batches)) : nil }

    /// Equal results are equal bytes.
    package func encoded() -> Data { ByteWriter(counts: [samples, skipped, batches]).data + sum.encoded() }

    /// - Parameter count: elements of the statistics.
    /// - Throws: `ByteCodingError`, or `TrainingError` where the sum has another number of elements.
    package init(decoding data: Data, count: Int) throws {
        var reader = ByteReader(data, record: "statistics of batches")
        let counts = try reader.takeCounts(3)
        (samples, skipped, batches) = (counts[0], counts[1], counts[2])
        sum = try ExactSum(decoding: reader.takeRest(), count: count)
    }
}

/// Adds up what batches have found.
package struct NormalizationReducer: ResultReducer {
    private let count: Int
    private var result: NormalizationResult

    /// - Parameter count: elements of the statistics.
    package init(count: Int) {
        self.count = count
        result = NormalizationResult(count: count)
    }

    /// - Throws: `UnusableResult` where the bytes are no result of one batch; what adding throws.
    package mutating func merge(shard: Int, samples: Int, result data: Data) throws {
        let batch = try UnusableResult.checking { try NormalizationResult(decoding: data, count: count) }
        guard [batch.samples, batch.skipped].areSoundCounts, batch.batches == (batch.samples > 0 ? 1 : 0) else {
            throw UnusableResult("its counts contradict each other")
        }
        guard batch.samples + batch.skipped == samples else {
            throw UnusableResult(samples: batch.samples + batch.skipped, ofShardWith: samples)
        }
        try result.merge(batch)
    }

    /// All that was merged, as one result.
    package func state() -> Data { result.encoded() }

    /// Goes on from a state, in place of what was merged here.
    package mutating func restore(_ state: Data) throws {
        result = try NormalizationResult(decoding: state, count: count)
    }
}
