import Cluster
import ClusterProtocol
import Datasets
import Foundation
import JobFile
import Passes
import Quantization
import Reports
import Training

/// Quantization-aware training: each step is a pass whose shards are the slots of a global batch, and what it does to the
/// weights depends on the slots alone, not on who computed them.
struct TrainingLoop {
    private let preparation: ModelPreparation
    private let training: JobFile.Training
    private let plan: ReplicaPlan
    private let task: TrainingTask
    private let index: SampleIndex
    private let composer: BatchComposer
    let stepCount: Int

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
        plan = try ReplicaPlan(preparation, training, activations: activations)
        let trained = Set(plan.parameters.map(\.name))
        let slotBatch = composer.positions(step: 0, slot: 0).count
        task = TrainingTask(
            PassSpecification(
                model: model.bytes, inputs: loss.inputs, output: preparation.output,
                parameters: preparation.constantEncodings(activations).filter { !trained.contains($0.key) },
                tile: preparation.tile, batch: slotBatch, skipsBadSamples: job.dataset.onBadSample == .skip),
            replica: plan, loss: loss.task, globalBatch: training.globalBatch,
            slotBatch: slotBatch, seed: UInt64(training.seed),
            augmentation: job.dataset.training?.augment, precision: training.precision)
    }

    /// What happens while a training runs.
    enum Event {
        /// It begins, or goes on from a checkpoint.
        /// - Parameter passedOver: why newer checkpoints are not gone on from.
        case begins(TrainingProgress, passedOver: [TrainingError])
        case step(TrainingProgress, loss: Float)
        case epochEnds(TrainingProgress)
    }

    /// Samples of all steps.
    var sampleCount: Int { stepCount * training.globalBatch }

    /// What the training takes, in lines for people.
    var settings: [String] {
        training.settings(
            steps: stepCount, stepsPerEpoch: composer.stepsPerEpoch, output: task.pass.output,
            hasTargets: task.loss.targets != nil)
    }

    /// Epochs of all steps, the last perhaps not whole.
    var epochCount: Int { composer.epoch(ofStep: max(stepCount - 1, 0)) + 1 }

    /// Trains from the last checkpoint on.
    /// - Parameters:
    ///   - evaluate: called with the state at the end of an epoch, and the epoch from 0; nil where there is nothing
    ///   labelled to evaluate with.
    ///   - before: what the evaluation of the model before training came to.
    /// - Returns: the state of the best epoch, or of the last where none was evaluated; the state before training where no
    ///   epoch was better.
    func run(
        on coordinator: Coordinator, checkpoints: TrainingCheckpoints, before: EvaluationResult?,
        evaluate: ((TrainingReplica, Int) throws -> TrainingProgress.Evaluation)?, report: (Event) -> Void
    ) throws -> (replica: TrainingReplica, progress: TrainingProgress) {
        guard let model = ArtifactID(bytes: task.pass.model) else { preconditionFailure("no artifact's digest") }
        var checkpoints = checkpoints
        let saved = try checkpoints.latest(plan)
        let progress = saved?.progress ?? TrainingProgress(stepCount: stepCount, before: before)
        let context = StepContext(
            coordinator: coordinator, model: model, task: coordinator.addArtifact(try task.encoded()), plan: plan,
            index: index, composer: composer, optimizer: training.optimizer, schedule: training.schedule,
            stepCount: stepCount, seed: task.seed, skipsBadSamples: task.pass.skipsBadSamples,
            precision: training.precision)
        let untrained = try TrainingReplica(plan, of: preparation.graph.constants)
        var run = TrainingRun(context, from: saved?.replica ?? untrained, progress)
        report(.begins(progress, passedOver: saved?.passedOver ?? []))
        while run.progress.steps < stepCount, !run.progress.isExhausted(patience: training.patience) {
            let step = run.progress.steps
            guard let loss = try run.takeStep() else { continue }
            report(.step(run.progress, loss: loss))
            let (epoch, next) = (composer.epoch(ofStep: step), composer.epoch(ofStep: step + 1))
            let endsEpoch = step + 1 == stepCount || next != epoch
            guard endsEpoch || checkpoints.isDue || run.wantsReplica else { continue }
            guard let replica = try run.replica() else { continue }
            if let evaluate, endsEpoch, isEvaluated(epoch) { run.record(try evaluate(replica, epoch)) }
            // With the evaluation: what goes on from it neither repeats nor misses one.
            try checkpoints.write(replica, run.progress, epoch: next)
            if endsEpoch { report(.epochEnds(run.progress)) }
        }
        guard let best = run.progress.bestStep, best != run.progress.steps else { return (run.state, run.progress) }
        return (best == 0 ? untrained : try checkpoints.replica(plan, atStep: best), run.progress)
    }

    /// - Parameter epoch: from 0.
    private func isEvaluated(_ epoch: Int) -> Bool {
        epoch + 1 == epochCount || (epoch + 1).isMultiple(of: training.evaluateEveryEpochs)
    }

    /// For the report.
    func summary(_ progress: TrainingProgress) -> Report.Training {
        let stopped = progress.steps < stepCount && progress.isExhausted(patience: training.patience)
        return Report.Training(progress, isStoppedEarly: stopped)
    }
}
