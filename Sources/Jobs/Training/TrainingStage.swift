import Cluster
import Datasets
import Foundation
import Quantization
import Simulation
import Tensors
import Training

/// Quantization-aware training: each step is a pass whose shards are the slots of a global batch, and what it does to the
/// weights depends on the slots alone, not on who computed them.
struct TrainingStage {
    private let preparation: ModelPreparation
    private let training: JobFile.Training
    private let plan: ReplicaPlan
    private let specification: PassSpecification
    private let index: SampleIndex
    private let composer: BatchComposer
    private let schedule: Schedule
    private let stepCount: Int

    /// - Parameters:
    ///   - model: digest of the artifact that holds what is trained.
    ///   - activations: encodings of all activations, constants among them.
    init(
        _ job: JobFile, _ training: JobFile.Training, _ preparation: ModelPreparation, model: ArtifactID,
        source: DatasetSource, activations: [String: TensorEncodings]
    ) throws {
        self.preparation = preparation
        self.training = training
        index = try SampleIndex(source)
        composer = try BatchComposer(
            sampleCount: index.count, globalBatch: training.globalBatch, slots: training.slots)
        guard let loss = preparation.loss else { preconditionFailure("a training that was not prepared") }
        stepCount = training.stepCount(stepsPerEpoch: composer.stepsPerEpoch)
        schedule = try training.rates(steps: stepCount)
        plan = try ReplicaPlan(preparation, training, activations: activations)
        let trained = Set(plan.parameters.map(\.name))
        specification = PassSpecification(
            task: .training(
                TrainingTask(
                    replica: plan, loss: loss.task, globalBatch: training.globalBatch, seed: UInt64(training.seed),
                    augmentation: job.dataset.training?.augment.map {
                        Augmentation(cropPadding: $0.cropPadding, horizontalFlip: $0.horizontalFlip)
                    }, precision: training.precision)),
            model: model.bytes, inputs: loss.inputs, output: preparation.output,
            parameters: preparation.constantEncodings(activations).filter { !trained.contains($0.key) },
            tile: preparation.tile, skipsBadSamples: job.dataset.onBadSample == .skip)
    }

    /// Samples of all steps.
    var sampleCount: Int { stepCount * training.globalBatch }

    /// What the training takes, in lines for people.
    var settings: [String] {
        training.settings(
            steps: stepCount, stepsPerEpoch: composer.stepsPerEpoch, output: specification.output,
            hasTargets: preparation.loss?.task.targets != nil)
    }

    /// Trains from the last checkpoint on.
    /// - Parameter report: called at the beginning and after every step.
    /// - Returns: the state in the end.
    func run(
        on coordinator: Coordinator, checkpoints: TrainingCheckpoints, report: (TrainingProgress, Float?) -> Void
    ) throws -> (replica: TrainingReplica, progress: TrainingProgress) {
        guard let model = ArtifactID(bytes: specification.model) else { preconditionFailure("no artifact's digest") }
        var checkpoints = checkpoints
        let saved = try checkpoints.latest(plan)
        let progress = saved?.progress ?? TrainingProgress()
        let context = TrainingContext(
            coordinator: coordinator, model: model, specification: coordinator.addArtifact(try specification.encoded()),
            plan: plan, index: index, composer: composer, schedule: schedule, seed: UInt64(training.seed),
            skipsBadSamples: specification.skipsBadSamples)
        var run = TrainingRun(
            context, from: try saved?.replica ?? TrainingReplica(plan, of: preparation.graph.constants), progress)
        report(progress, nil)
        while run.progress.steps < stepCount {
            let step = run.progress.steps
            guard let loss = try run.takeStep() else { continue }
            report(run.progress, loss)
            let next = composer.epoch(ofStep: step + 1)
            if step + 1 == stepCount || next != composer.epoch(ofStep: step) || checkpoints.isDue || run.wantsReplica {
                guard let replica = try run.replica() else { continue }
                try checkpoints.write(replica, run.progress, epoch: next)
            }
        }
        return (run.state, run.progress)
    }

    /// The model with the state's weights, and the encodings of all activations.
    func applying(
        _ replica: TrainingReplica, to activations: [String: TensorEncodings]
    ) throws -> (preparation: ModelPreparation, activations: [String: TensorEncodings]) {
        (
            try preparation.replacing(replica.weights, encodings: replica.parameterEncodings),
            activations.merging(replica.activationEncodings) { $1 }
        )
    }
}
