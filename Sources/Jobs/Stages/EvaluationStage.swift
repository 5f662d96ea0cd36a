import Datasets
import Foundation
import Graph
import Nodes
import Operators
import Passes
import Reports

/// Counts how often a form of the model is right, or, where that cannot be told, compares it with the FP32 model.
struct EvaluationStage {
    let runner: PassRunner

    /// - Parameter known: what came of an evaluation in training; taken where it was of the same.
    /// - Returns: the stage for the report.
    func run(
        _ evaluation: Evaluation, as form: Report.Stage.Model, over source: DatasetSource,
        known: TrainingProgress.Evaluation? = nil
    ) throws -> Report.Stage {
        let name = "evaluate \(form.rawValue)"
        let found: TrainingProgress.Evaluation
        // The same pass has the same result, so that is not computed again.
        if let known, known.specification == (try evaluation.digest()) {
            found = known
        } else {
            found = try measured(evaluation, over: source, named: name)
            runner.progress.end(note: found.result.top1Percent.map { String(format: "top-1 %.2f %%", $0) })
        }
        let result = found.result
        var notes: [String] = []
        if let left = result.badNames.sentence(of: result.skipped) { notes.append(left) }
        if !result.isLabelled {
            notes.append(
                result.labelled == 0
                    ? "no accuracy, as the samples have no labels"
                    : "no accuracy, as only \(result.labelled) of \(result.samples) samples count as labelled")
        }
        for note in notes { runner.progress.message("\(name): \(note)") }
        return Report.Stage(
            name, evaluating: form, samples: result.samples, skipped: result.skipped, seconds: found.seconds,
            correctTop1: result.isLabelled ? result.top1 : nil, correctTop5: result.isLabelled ? result.top5 : nil
        ).noting(notes)
    }

    /// - Parameter form: of the model, not FP32.
    /// - Returns: the stage for the report.
    func compare(
        _ agreement: Agreement, as form: Report.Stage.Model, over source: DatasetSource
    ) throws -> Report.Stage {
        let name = "evaluate \(form.rawValue)"
        let (result, seconds) = try runner.run(agreement, over: source, named: name)
        try check(result.undefined, of: result.samples, in: agreement.pass, named: name)
        var stage = Report.Stage(
            name, evaluating: form, samples: result.samples, skipped: result.skipped, seconds: seconds,
            correctTop1: nil, correctTop5: nil)
        stage.signalToNoise = result.output.signalToNoise
        stage.agreeingTop1 = result.agreeingTop1
        let nearness = stage.signalToNoise.map { String(format: "SQNR of the output %.1f dB", $0) }
        let parts = [
            nearness ?? (result.output.meanSquaredError == 0 ? "the output is that of FP32" : nil),
            stage.agreeingPercent.map { String(format: "top-1 as of FP32 in %.2f %%", $0) },
        ].compactMap(\.self)
        runner.progress.end(note: parts.isEmpty ? nil : parts.joined(separator: ", "))
        var notes = parts
        if let left = result.badNames.sentence(of: result.skipped) {
            notes.append(left)
            runner.progress.message("\(name): \(left)")
        }
        return stage.noting(notes)
    }

    private func check(_ undefined: Int, of samples: Int, in pass: PassSpecification, named name: String) throws {
        guard undefined == 0 else {
            throw GraphError(
                .notFinite, tensor: pass.output, expected: "scores in \(name)",
                found: "NaN in \(undefined) of \(samples) samples")
        }
    }

    /// - Parameter isPart: of a stage that runs.
    func measured(
        _ evaluation: Evaluation, over source: DatasetSource, named name: String, isPart: Bool = false
    ) throws -> TrainingProgress.Evaluation {
        let (result, seconds) = try runner.run(evaluation, over: source, named: name, isPart: isPart)
        try check(result.undefined, of: result.samples, in: evaluation.pass, named: name)
        return TrainingProgress.Evaluation(result, seconds: seconds, specification: try evaluation.digest())
    }
}
