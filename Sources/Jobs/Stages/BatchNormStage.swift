import Cluster
import ClusterProtocol
import Datasets
import Graph
import JobFile
import Passes
import Quantization
import Simulation
import Tensors
import Training

/// The end of a training with kept batch norms: their running values become what batches of training samples show with the
/// final weights, since those found on the way are of weights that have changed; then they are folded.
struct BatchNormStage {
    private let runner: PassRunner
    private let training: JobFile.Training
    private let index: SampleIndex
    private let composer: BatchComposer

    /// - Returns: nil where the job keeps no batch norms.
    /// - Parameter source: the samples that were trained on; they are taken as they are, not augmented.
    init?(_ runner: PassRunner, _ training: JobFile.Training, source: DatasetSource) throws {
        guard training.batchNorms == .kept else { return nil }
        self.runner = runner
        self.training = training
        index = try SampleIndex(source)
        composer = try BatchComposer(
            sampleCount: index.count, globalBatch: training.globalBatch, slots: training.slots)
    }

    /// Global batches that are looked at: at most an epoch's.
    private var steps: Int { min(training.reestimationBatches, composer.stepsPerEpoch) }

    /// - Parameters:
    ///   - model: with the trained weights.
    ///   - estimates: false where the weights did not change, whose running values are right.
    /// - Returns: the model as it is to be exported and evaluated.
    func run(_ model: QuantizedModel, estimates: Bool) throws -> QuantizedModel {
        var estimated = model.preparation
        if estimates, steps > 0 {
            runner.progress.begin(stage: "re-estimate batch norms", total: steps * training.globalBatch)
            let values = try runner.namingModel { try runningValues(model) }
            estimated = try estimated.replacing(values, encodings: [:])
            runner.progress.end()
        }
        return try folded(model, estimated, model.activations)
    }

    private func runningValues(_ model: QuantizedModel) throws -> [(name: String, tensor: Tensor)] {
        let preparation = model.preparation
        let workload = BatchNormStatistics(
            model.pass(runner.job, parameters: preparation.constantEncodings(model.activations)),
            of: preparation.graph.normalizations, activations: preparation.valueEncodings(model.activations))
        let layout = try workload.layout()
        let outcome = try runner.coordinator.run(
            pass: PassDescription(
                name: "re-estimate batch norms", descriptor: workload.encoded(), artifacts: model.artifacts,
                shardCount: steps * composer.slots, isJournaled: false, probe: workload.probeSubject()),
            source: EpochSlots(
                index, composer: composer, steps: steps, seed: UInt64(training.seed),
                skipsBadSamples: workload.pass.skipsBadSamples),
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

    private func folded(
        _ model: QuantizedModel, _ preparation: ModelPreparation, _ activations: [String: TensorEncodings]
    ) throws -> QuantizedModel {
        let (graph, encodings, renamed) = KeptBatchNorms.foldingToScale(
            preparation.graph, preparation.parameterEncodings)
        let (placement, _) = try runner.job.placement(on: graph)
        // Biases that are rounded only now, if the config wants it.
        let parameters = ParameterEncodings.compute(graph: graph, placement: placement).merging(encodings) { $1 }
        return model.replaced(
            by: try preparation.replacing(graph, placement: placement, parameterEncodings: parameters),
            Dictionary(uniqueKeysWithValues: activations.map { (renamed[$0.key] ?? $0.key, $0.value) }),
            on: runner.coordinator)
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
