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
    /// What came of some steps, for the report and the display.
    struct Progress: Sendable {
        var loss = 0.0
        var samples = 0
        var skipped = 0
        var correct = 0
        var seconds = 0.0
        var steps = 0
    }

    private let preparation: ModelPreparation
    private let training: JobFile.Training
    private let index: SampleIndex
    private let composer: BatchComposer
    private let schedule: Schedule
    private let activations: [String: TensorEncodings]
    private let augmentation: Augmentation?
    private let skipsBadSamples: Bool
    private let layout: ParameterLayout
    private let trained: [String]

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
        trained = layout.entries.map(\.name)
    }

    /// Samples of all steps.
    var sampleCount: Int { stepCount * training.globalBatch }

    private var stepCount: Int {
        switch training.duration {
        case .epochs(let epochs): epochs * composer.stepsPerEpoch
        case .steps(let steps): steps
        }
    }

    /// Trains, and returns the model with its new weights.
    /// - Parameter report: called after every step.
    func run(
        on coordinator: Coordinator, model: ArtifactID, report: (Progress) -> Void
    ) throws -> (preparation: ModelPreparation, progress: Progress) {
        var weights = try layout.vector(of: preparation.graph.constants)
        var optimizer = Optimizer(
            try OptimizerSettings(.sgd(momentum: training.optimizer.momentum, nesterov: false)), count: layout.count)
        var progress = Progress()
        var current = preparation
        for step in 0..<stepCount {
            let began = ContinuousClock.now
            let encodings = current.constantEncodings(activations)
            let artifact = coordinator.addArtifact(weights.withUnsafeBytes { Data($0) })
            defer { coordinator.removeArtifact(artifact) }
            let sum = try run(step, on: coordinator, model: model, weights: artifact, encodings: encodings)
            var (loss, gradient) = sum.lossAndGradient
            try maskClipped(&gradient, weights: weights, encodings: encodings)
            optimizer.step(
                parameters: &weights, gradients: gradient,
                learningRate: schedule.learningRate(step: step, stepsPerEpoch: composer.stepsPerEpoch))
            current = current.replacingWeights(layout.tensors(of: weights))
            progress.loss = Double(loss)
            progress.samples += sum.samples
            progress.skipped += sum.skipped
            progress.correct += sum.correct
            progress.steps += 1
            progress.seconds += (ContinuousClock.now - began) / .seconds(1)
            report(progress)
        }
        return (try preparation.replacing(layout.tensors(of: weights)), progress)
    }

    private func run(
        _ step: Int, on coordinator: Coordinator, model: ArtifactID, weights: ArtifactID,
        encodings: [String: TensorEncodings]
    ) throws -> SlotSum {
        let specification = PassSpecification(
            task: .training(
                TrainingStep(
                    activations: preparation.valueEncodings(activations), trained: trained, weights: weights.bytes,
                    loss: .crossEntropy, globalBatch: training.globalBatch, seed: UInt64(training.seed),
                    epoch: composer.epoch(ofStep: step), augmentation: augmentation)),
            model: model.bytes, inputs: preparation.inputs, output: preparation.output, parameters: encodings,
            tile: preparation.tile, skipsBadSamples: skipsBadSamples)
        let outcome = try coordinator.run(
            pass: PassDescription(
                name: "train step \(step)", descriptor: specification.encoded(), artifacts: [model, weights],
                shardCount: composer.slots, isJournaled: false),
            source: SlotShards(
                index, composer: composer, step: step, seed: UInt64(training.seed), skipsBadSamples: skipsBadSamples),
            reducer: SlotReducer(parameterCount: layout.count))
        return try SlotSum(decoding: outcome.state, parameterCount: layout.count)
    }

    /// The straight-through estimator for the weights: no gradient where a shadow weight is clipped.
    private func maskClipped(
        _ gradient: inout [Float], weights: [Float], encodings: [String: TensorEncodings]
    ) throws {
        for entry in layout.entries {
            guard let encoding = encodings[entry.name] else { continue }
            let estimator = try StraightThrough(encoding, shape: entry.shape)
            var mask = GradientMask()
            var simulated = Array(weights[entry.range])
            simulated.withUnsafeMutableBufferPointer { estimator.forward(inPlace: $0, recording: &mask) }
            gradient.withUnsafeMutableBufferPointer { gradient in
                estimator.backward(
                    inPlace: UnsafeMutableBufferPointer(rebasing: gradient[entry.range]), mask: mask)
            }
        }
    }
}
