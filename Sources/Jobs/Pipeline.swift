import Datasets
import JobFile
import Passes
import Reports

/// A job from its model to its output folder, over whatever workers the coordinator has: the order of the stages, each of which
/// takes the model from the one before and returns what it makes of it.
struct Pipeline {
    let runner: PassRunner
    let preparation: ModelPreparation
    /// On the samples, for people.
    let notes: [String]
    let sources: Sources
    let checkpoints: TrainingCheckpoints?
    let output: OutputFolder

    /// Where samples come from.
    struct Sources {
        let calibration: DatasetSource
        let training: DatasetSource?
        let evaluation: DatasetSource?

        var all: [DatasetSource] { [calibration, training, evaluation].compactMap(\.self) }
    }

    /// What a job comes to, for the report.
    struct Outcome {
        var stages: [Report.Stage] = []
        var training: Report.Training?
        var analysis: AnalysisReport?
        /// Of what was exported.
        var digest = Report.Digest(encodings: nil, weights: nil)
    }

    private var job: JobFile { runner.job }

    /// Runs all stages and writes their results.
    func run() throws -> Outcome {
        var outcome = Outcome()
        for taken in preparation.encodingsTaken { runner.progress.message(taken.text) }
        notes.forEach(runner.progress.message)
        for (name, source) in [
            ("calibration", sources.calibration), ("training", sources.training), ("evaluation", sources.evaluation),
        ] {
            if let line = try source?.passedOverLine("dataset.\(name)") { runner.progress.message(line) }
        }

        let uncalibrated = QuantizedModel(preparation, on: runner.coordinator)
        if let stage = try EqualizationStage(runner: runner).run(uncalibrated) { outcome.stages.append(stage) }
        let calibrated = try CalibrationStage(runner: runner).run(uncalibrated, over: sources.calibration)
        if let stage = calibrated.stage { outcome.stages.append(stage) }
        var model = calibrated.model
        if let stage = ReconstructionStage(runner) {
            let reconstructed = try stage.run(model, over: sources.calibration)
            model = reconstructed.model
            outcome.stages.append(reconstructed.stage)
        }

        let evaluation = EvaluationStage(runner: runner)
        var isLabelled = false
        var quantized: Report.Stage?
        if let source = sources.evaluation {
            let fp32 = try evaluation.run(calibrated.model.fp32Evaluation(job), as: .fp32, over: source)
            isLabelled = fp32.correctTop1 != nil
            let stage =
                isLabelled
                ? try evaluation.run(model.quantizedEvaluation(job), as: .quantized, over: source)
                : try evaluation.compare(model.agreement(job), as: .quantized, over: source)
            outcome.stages += [fp32, stage]
            quantized = stage
        }

        if let wanted = job.analysis {
            let (analysis, stage) = try AnalysisStage(runner: runner, output: output).run(
                model, over: try analyzedSource(wanted), isEvaluation: sources.evaluation != nil,
                calibrated.statistics)
            outcome.analysis = analysis
            outcome.stages.append(stage)
        }

        if let training = job.training, let source = sources.training, let checkpoints {
            let trained = try TrainingStage(runner: runner, training: training, checkpoints: checkpoints).run(
                model, over: source, evaluatedOn: try labelledEvaluation(quantized),
                before: quantized.flatMap(EvaluationResult.init))
            outcome.training = trained.summary
            outcome.stages += trained.stages
            model = trained.model
            if let stage = try BatchNormStage(runner, training, source: source) {
                model = try stage.run(model, estimates: !trained.isUnchanged)
            }
            if let source = sources.evaluation {
                outcome.stages.append(
                    isLabelled
                        ? try evaluation.run(
                            model.quantizedEvaluation(job), as: .trained, over: source, known: trained.evaluation)
                        : try evaluation.compare(model.agreement(job), as: .trained, over: source))
            }
        }

        outcome.digest = try ExportStage(job: job, output: output).run(model)
        return outcome
    }

    /// The first samples of evaluation, or of calibration where the job has no evaluation.
    private func analyzedSource(_ wanted: JobFile.Analysis) throws -> DatasetSource {
        let whole = job.dataset.evaluation ?? job.dataset.calibration
        var first = whole
        if let samples = wanted.samples { first.samples = min(samples, whole.samples ?? samples) }
        return try job.source(first)
    }

    /// What epochs are evaluated with; nil where accuracy would mean nothing.
    /// - Parameter quantized: how the evaluation before training went.
    private func labelledEvaluation(_ quantized: Report.Stage?) throws -> DatasetSource? {
        guard let source = sources.evaluation, let quantized else { return nil }
        if quantized.correctTop1 != nil { return source }
        guard job.training?.patience == nil else {
            throw job.patienceError(found: "\(quantized.samples ?? 0) samples, some or all without one")
        }
        return nil
    }
}

extension EvaluationResult {
    /// Nil where the samples of the stage had no labels.
    fileprivate init?(_ stage: Report.Stage) {
        guard let samples = stage.samples, let top1 = stage.correctTop1, let top5 = stage.correctTop5 else {
            return nil
        }
        self.init()
        (self.samples, labelled, skipped) = (samples, samples, stage.skipped ?? 0)
        (self.top1, self.top5) = (top1, top5)
    }
}
