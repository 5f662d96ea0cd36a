import Cluster
import Datasets
import Foundation
import Quantization
import Simulation
import Tensors
import Training

/// Quantization-aware training: each step is a pass whose shards are the slots of a global batch. The coordinator adds the
/// slots' gradients up exactly and takes the optimizer's step on the shadow weights, which no worker's number, order or
/// death can change.
struct TrainingStage {
    private let preparation: ModelPreparation
    private let training: JobFile.Training
    private let index: SampleIndex
    private let composer: BatchComposer
    private let schedule: Schedule
    private let settings: OptimizerSettings
    private let activations: [String: TensorEncodings]
    private let augmentation: Augmentation?
    private let skipsBadSamples: Bool
    private let layout: ParameterLayout

    /// - Parameter activations: encodings of all activations, constants among them.
    init(
        _ job: JobFile, _ training: JobFile.Training, _ preparation: ModelPreparation, source: DatasetSource,
        activations: [String: TensorEncodings]
    ) throws {
        self.preparation = preparation
        self.training = training
        self.activations = activations
        index = try SampleIndex(source)
        composer = try BatchComposer(
            sampleCount: index.count, globalBatch: training.globalBatch, slots: training.slots)
        schedule = try Schedule(
            learningRate: training.optimizer.learningRate,
            decay: training.schedule.map { .divide(by: $0.divideBy, everyEpochs: $0.everyEpochs) } ?? .constant)
        settings = try OptimizerSettings(.sgd(momentum: training.optimizer.momentum, nesterov: false))
        augmentation = job.dataset.training?.augment.map {
            Augmentation(cropPadding: $0.cropPadding, horizontalFlip: $0.horizontalFlip)
        }
        skipsBadSamples = job.dataset.onBadSample == .skip
        var seen: Set<String> = []
        let parameters = preparation.placement.parameters.compactMap { quantizer in
            preparation.graph.constants[quantizer.tensor].flatMap { tensor in
                tensor.elementType == .float32 && seen.insert(quantizer.tensor).inserted
                    ? (name: quantizer.tensor, shape: tensor.shape) : nil
            }
        }
        layout = try ParameterLayout(parameters)
    }

    /// Samples of all steps.
    var sampleCount: Int { stepCount * training.globalBatch }

    private var stepCount: Int {
        switch training.duration {
        case .epochs(let epochs): epochs * composer.stepsPerEpoch
        case .steps(let steps): steps
        }
    }

    /// Trains from the last checkpoint on, and returns the model with its new weights.
    /// - Parameter report: called at the beginning and after every step.
    func run(
        on coordinator: Coordinator, model: ArtifactID, checkpoints: TrainingCheckpoints,
        report: (TrainingProgress, Float?) -> Void
    ) throws -> (preparation: ModelPreparation, progress: TrainingProgress) {
        var checkpoints = checkpoints
        let saved = try checkpoints.latest(layout: layout, settings)
        var weights = try saved?.weights ?? ShadowWeights(layout, of: preparation.graph.constants, settings)
        var progress = saved?.progress ?? TrainingProgress()
        var current = preparation.replacingWeights(weights.tensors)
        report(progress, nil)
        for step in progress.steps..<max(stepCount, progress.steps) {
            let began = ContinuousClock.now
            let encodings = current.constantEncodings(activations)
            let artifact = coordinator.addArtifact(weights.bytes)
            defer { coordinator.removeArtifact(artifact) }
            let sum: SlotSum
            do {
                sum = try run(
                    step, on: coordinator, model: model, weights: artifact, encodings: encodings, progress)
            } catch let error as ClusterError where error.code == .closed {
                // Asked to end: whoever resumes the job need not repeat what is done.
                try? checkpoints.write(weights, progress, epoch: composer.epoch(ofStep: step), now: true)
                throw error
            }
            let (loss, gradient) = sum.lossAndGradient
            let rate = schedule.learningRate(step: step, stepsPerEpoch: composer.stepsPerEpoch)
            do {
                try weights.step(gradient: gradient, encodings: encodings, learningRate: rate)
            } catch var error as TrainingError {
                error.step = step
                throw error
            }
            current = current.replacingWeights(weights.tensors)
            progress.add(
                sum, loss: loss, epoch: composer.epoch(ofStep: step), learningRate: rate,
                seconds: (ContinuousClock.now - began) / .seconds(1))
            report(progress, loss)
            let isLast = step + 1 == stepCount
            let next = composer.epoch(ofStep: step + 1)
            try checkpoints.write(
                weights, progress, epoch: next, now: isLast || next != composer.epoch(ofStep: step))
        }
        return (try preparation.replacing(weights.tensors), progress)
    }

    private func run(
        _ step: Int, on coordinator: Coordinator, model: ArtifactID, weights: ArtifactID,
        encodings: [String: TensorEncodings], _ progress: TrainingProgress
    ) throws -> SlotSum {
        let specification = PassSpecification(
            task: .training(
                TrainingStep(
                    activations: preparation.valueEncodings(activations), trained: layout.entries.map(\.name),
                    weights: weights.bytes, loss: .crossEntropy, globalBatch: training.globalBatch,
                    seed: UInt64(training.seed), epoch: composer.epoch(ofStep: step), augmentation: augmentation)),
            model: model.bytes, inputs: preparation.inputs, output: preparation.output, parameters: encodings,
            tile: preparation.tile, skipsBadSamples: skipsBadSamples)
        let outcome = try coordinator.run(
            pass: PassDescription(
                name: "train step \(step)", descriptor: specification.encoded(), artifacts: [model, weights],
                shardCount: composer.slots, isJournaled: false, samplesBefore: progress.samples + progress.skipped),
            source: SlotShards(
                index, composer: composer, step: step, seed: UInt64(training.seed), skipsBadSamples: skipsBadSamples),
            reducer: SlotReducer(step: step, layout: layout))
        return try SlotSum(decoding: outcome.state, parameterCount: layout.count)
    }
}
