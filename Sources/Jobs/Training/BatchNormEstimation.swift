import Cluster
import Datasets
import Foundation
import Graph
import Quantization
import Tensors
import Training

/// The end of a training with kept batch norms: their running values become what batches of training samples show with the
/// final weights, since those found on the way are of weights that have changed; then they are folded.
struct BatchNormEstimation {
    private let job: JobFile
    private let training: JobFile.Training
    private let index: SampleIndex
    private let composer: BatchComposer

    /// - Returns: nil where the job keeps no batch norms.
    /// - Parameter source: the samples that were trained on; they are taken as they are, not augmented.
    init?(_ job: JobFile, _ training: JobFile.Training, source: DatasetSource) throws {
        guard training.batchNorms == .kept else { return nil }
        self.job = job
        self.training = training
        index = try SampleIndex(source)
        composer = try BatchComposer(
            sampleCount: index.count, globalBatch: training.globalBatch, slots: training.slots)
    }

    /// Global batches that are looked at: at most an epoch's.
    private var steps: Int { min(training.reestimationBatches, composer.stepsPerEpoch) }

    /// - Parameters:
    ///   - preparation: with the trained weights.
    ///   - activations: encodings of all activations, constants among them.
    /// - Returns: the model as it is to be exported and evaluated.
    func completing(
        _ preparation: ModelPreparation, _ activations: [String: TensorEncodings], on coordinator: Coordinator,
        display: ProgressDisplay
    ) throws -> (preparation: ModelPreparation, activations: [String: TensorEncodings]) {
        var estimated = preparation
        if steps > 0 {
            display.begin(stage: "re-estimate batch norms", total: steps * training.globalBatch)
            estimated = try preparation.replacing(
                runningValues(preparation, activations, on: coordinator), encodings: [:])
            display.end()
        }
        return try KeptBatchNorms.folded(estimated, activations, job)
    }

    private func runningValues(
        _ preparation: ModelPreparation, _ activations: [String: TensorEncodings], on coordinator: Coordinator
    ) throws -> [(name: String, tensor: Tensor)] {
        let normalizations = preparation.graph.normalizations
        let layout = try ParameterLayout(normalizations.flatMap(\.entries))
        let model = coordinator.addArtifact(preparation.artifact)
        defer { coordinator.removeArtifact(model) }
        let specification = PassSpecification(
            task: .statistics(of: normalizations, activations: preparation.valueEncodings(activations)),
            model: model.bytes, inputs: preparation.inputs, output: preparation.output,
            parameters: preparation.constantEncodings(activations), tile: preparation.tile,
            skipsBadSamples: job.dataset.onBadSample == .skip)
        let outcome = try coordinator.run(
            pass: PassDescription(
                name: "re-estimate batch norms", descriptor: WorkerTask.pass(specification).encoded(),
                artifacts: [model], shardCount: steps * composer.slots, isJournaled: false),
            source: EpochSlots(
                index, composer: composer, steps: steps, seed: UInt64(training.seed),
                skipsBadSamples: specification.skipsBadSamples),
            reducer: NormalizationReducer(count: layout.count))
        let result = try NormalizationResult(decoding: outcome.state, count: layout.count)
        return result.mean.map { Self.runningValues($0, layout, preparation.graph) } ?? []
    }

    /// The mean and variance over all values that the batches hold. (The mean of the batches' variances, which the reference
    /// takes, lacks how their means differ; for batches of few samples, as slots are, that is much of it.)
    private static func runningValues(
        _ found: [Float], _ layout: ParameterLayout, _ graph: Graph
    ) -> [(name: String, tensor: Tensor)] {
        graph.normalizations.flatMap { normalization -> [(name: String, tensor: Tensor)] in
            guard let means = layout.range(of: normalization.mean),
                let squares = layout.range(of: normalization.variance),
                let origin = graph.constants[normalization.mean]?.elements(as: Float.self)
            else { return [] }
            let mean = Array(found[means])
            let variance = zip(zip(mean, found[squares]), origin).map { pair, origin in
                let distance = Double(pair.0) - Double(origin)
                return max(0, Float(Double(pair.1) - distance * distance))
            }
            return [
                (normalization.mean, Tensor(shape: [mean.count], mean)),
                (normalization.variance, Tensor(shape: [variance.count], variance)),
            ]
        }
    }
}

/// The slots of the first steps of an epoch, one behind the other: what batch norms have seen in training.
private struct EpochSlots: ShardSource {
    private let slots: (Int) -> SlotShards
    private let steps: Int
    private var step = 0
    private var current: SlotShards
    private var nextIndex = 0

    init(_ index: SampleIndex, composer: BatchComposer, steps: Int, seed: UInt64, skipsBadSamples: Bool) {
        slots = { step in
            SlotShards(index, composer: composer, step: step, seed: seed, skipsBadSamples: skipsBadSamples)
        }
        self.steps = steps
        current = slots(0)
    }

    mutating func next() throws -> Shard? {
        while step < steps {
            if var shard = try current.next() {
                shard.index = nextIndex
                nextIndex += 1
                return shard
            }
            step += 1
            current = slots(step)
        }
        return nil
    }
}
