import Datasets
import JobFile
import Passes
import Quantization
import Reports
import Training

/// Trains the weights and ranges of a calibrated model, and goes on with those of the best epoch.
struct TrainingStage {
    let runner: PassRunner
    let training: JobFile.Training
    let checkpoints: TrainingCheckpoints

    /// What a training comes to.
    struct Outcome {
        let model: QuantizedModel
        let summary: Report.Training
        let stages: [Report.Stage]
        /// No epoch was better than the model before training, which goes on as it was.
        let isUnchanged: Bool
        /// Of the epoch whose weights the model has.
        let evaluation: TrainingProgress.Evaluation?
    }

    /// - Parameters:
    ///   - before: what the evaluation of the model came to; it is kept where no epoch is better.
    ///   - evaluation: what epochs are evaluated with; nil where accuracy would mean nothing.
    /// - Throws: as the passes do; `TrainingError` where training diverges.
    func run(
        _ model: QuantizedModel, over source: DatasetSource, evaluatedOn evaluation: DatasetSource?,
        before: EvaluationResult?
    ) throws -> Outcome {
        let trained = model.preparation.loss?.artifact.map(runner.coordinator.addModel) ?? model.artifact
        let loop = try TrainingLoop(
            runner.job, training, model.preparation, model: trained, source: source, activations: model.activations)
        for line in loop.settings { runner.progress.message(line) }
        let (replica, progress) = try runner.namingModel {
            try loop.run(
                on: runner.coordinator, checkpoints: checkpoints, before: before,
                evaluate: evaluation.map { source in
                    { try evaluate($0, afterEpoch: $1, model, over: source) }
                },
                report: { show($0, of: loop) })
        }
        let summary = loop.summary(progress)
        runner.progress.end(note: summary.outcome)
        if let left = progress.badNames.sentence(of: progress.skipped) { runner.progress.message("train: \(left)") }
        return Outcome(
            model: progress.isBeforeBest ? model : try applying(replica, to: model), summary: summary,
            stages: stages(progress), isUnchanged: progress.isBeforeBest,
            evaluation: progress.isBeforeBest ? nil : progress.best?.evaluation)
    }

    private func stages(_ progress: TrainingProgress) -> [Report.Stage] {
        var stages = [
            Report.Stage(
                "train", kind: .training, samples: progress.samples, skipped: progress.skipped,
                seconds: progress.seconds)
        ]
        stages[0].firstStepSeconds = progress.firstStepSeconds
        if let left = progress.badNames.sentence(of: progress.skipped) { stages[0].notes = [left] }
        if let (samples, skipped, seconds) = progress.evaluations {
            stages.append(
                Report.Stage(
                    "evaluate epochs", kind: .evaluation, samples: samples, skipped: skipped, seconds: seconds))
        }
        return stages
    }

    /// The model with a state's weights and ranges.
    private func applying(_ replica: TrainingReplica, to model: QuantizedModel) throws -> QuantizedModel {
        model.replaced(
            by: try model.preparation.replacing(replica.weights, encodings: replica.parameterEncodings),
            model.activations.merging(replica.activationEncodings) { $1 }, on: runner.coordinator)
    }

    /// Evaluates the state at the end of an epoch. Not journaled: its result is kept with the checkpoint that follows.
    private func evaluate(
        _ replica: TrainingReplica, afterEpoch epoch: Int, _ model: QuantizedModel, over source: DatasetSource
    ) throws -> TrainingProgress.Evaluation {
        let trained = try applying(replica, to: model)
        // Weights that did not move make the artifact that was there before.
        defer { if trained.artifact != model.artifact { runner.coordinator.removeArtifact(trained.artifact) } }
        return try EvaluationStage(runner: runner).measured(
            trained.quantizedEvaluation(runner.job), over: source, named: "evaluate epoch \(epoch + 1)", isPart: true)
    }

    private func show(_ event: TrainingLoop.Event, of loop: TrainingLoop) {
        let display = runner.progress
        switch event {
        case .begins(let progress, let passedOver):
            for error in passedOver { display.warning("a checkpoint is passed over", error) }
            display.begin(stage: "train", total: loop.sampleCount, done: progress.samples + progress.skipped)
            if progress.steps > 0 { display.message("training goes on from step \(progress.steps)") }
        case .step(let progress, let loss):
            display.note(progress.note(loss: loss, epochCount: loop.epochCount, stepCount: loop.stepCount))
        case .epochEnds(let progress):
            if let line = progress.epochLine { display.message(line) }
        }
    }
}
