import Cluster
import Datasets
import Foundation
import Quantization
import Training

extension Pipeline {
    /// Trains, and goes on with the model of the best epoch.
    /// - Returns: encodings of all activations, and how training went.
    mutating func train(
        _ training: JobFile.Training, on source: DatasetSource, _ checkpoints: TrainingCheckpoints,
        _ activations: [String: TensorEncodings]
    ) throws -> (activations: [String: TensorEncodings], progress: TrainingProgress) {
        let stage = try TrainingStage(
            job, training, preparation, model: preparation.loss?.artifact.map(coordinator.addArtifact) ?? model,
            source: source, activations: activations)
        for line in stage.settings { display.message(line) }
        let pipeline = self
        let (replica, progress) = try namingModel {
            try stage.run(
                on: coordinator, checkpoints: checkpoints,
                evaluate: try labelledEvaluation().map { evaluation in
                    { try pipeline.evaluate($0, afterEpoch: $1, of: stage, on: evaluation, activations) }
                },
                report: { pipeline.show($0, of: stage) })
        }
        let trained = try stage.applying(replica, to: activations)
        preparation = trained.preparation
        model = coordinator.addArtifact(preparation.artifact)
        let summary = stage.summary(progress)
        trainingSummary = summary
        var done = Report.Stage(
            "train", kind: .training, samples: progress.samples, skipped: progress.skipped, seconds: progress.seconds)
        done.firstStepSeconds = progress.firstStepSeconds
        stages.append(done)
        if let (samples, skipped, seconds) = progress.evaluations {
            stages.append(
                Report.Stage(
                    "evaluate epochs", kind: .evaluation, samples: samples, skipped: skipped, seconds: seconds))
        }
        display.end(note: summary.outcome)
        return (trained.activations, progress)
    }

    /// What epochs are evaluated with; nil where accuracy would mean nothing.
    private func labelledEvaluation() throws -> DatasetSource? {
        guard let evaluation, let quantized = stages.last(where: { $0.model == .quantized }) else { return nil }
        if quantized.correctTop1 != nil { return evaluation }
        guard job.training?.patience == nil else {
            throw job.patienceError(found: "\(quantized.samples ?? 0) samples, some or all without one")
        }
        return nil
    }

    /// Evaluates the state at the end of an epoch. Not journaled: its result is kept with the checkpoint that follows.
    private func evaluate(
        _ replica: TrainingReplica, afterEpoch epoch: Int, of stage: TrainingStage, on source: DatasetSource,
        _ activations: [String: TensorEncodings]
    ) throws -> TrainingProgress.Evaluation {
        var pipeline = self
        let trained = try stage.applying(replica, to: activations)
        pipeline.preparation = trained.preparation
        pipeline.model = coordinator.addArtifact(trained.preparation.artifact)
        // Weights that did not move make the artifact that was there before.
        defer { if pipeline.model != model { coordinator.removeArtifact(pipeline.model) } }
        return try pipeline.evaluation(
            source, pipeline.quantizedEvaluation(trained.activations), named: "evaluate epoch \(epoch + 1)",
            isPart: true)
    }

    private func show(_ event: TrainingStage.Event, of stage: TrainingStage) {
        switch event {
        case .begins(let progress):
            display.begin(
                stage: "train", total: stage.sampleCount, done: progress.samples + progress.skipped)
            if progress.steps > 0 { display.message("training goes on from step \(progress.steps)") }
        case .step(let progress, let loss):
            display.note(progress.note(loss: loss, epochCount: stage.epochCount, stepCount: stage.stepCount))
        case .epochEnds(let progress):
            if let line = progress.epochLine { display.message(line) }
        }
    }
}
