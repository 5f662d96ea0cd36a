import Datasets
import Foundation
import JobFile
import Passes
import PostTraining
import Reports
import Tensors

/// Shows on samples that equalization has not changed what the FP32 model computes, or how much it has.
struct EqualizationStage {
    let runner: PassRunner

    /// Samples that are looked at, at most: the function is the same for all, so a mistake shows at once.
    private static let samples = 64
    /// Of the output, in dB. Rounding alone leaves more than 100.
    private static let leastSignalToNoise = 80.0

    /// - Returns: the stage for the report; nil where the job does not equalize.
    /// - Throws: as a pass does; `JobError(.outOfRange)` where the function has changed although nothing was done that changes it.
    func run(_ model: QuantizedModel) throws -> Report.Stage? {
        guard let outcome = model.preparation.equalization?.outcome else { return nil }
        let name = "equalize"
        var notes = outcome.lines
        guard !outcome.sets.isEmpty, model.preparation.hasFloatOutput else {
            if !outcome.sets.isEmpty {
                notes.append("the output is no float32 tensor, so it was not compared with FP32")
            }
            notes.forEach(runner.progress.message)
            return Report.Stage(name, kind: .equalization, samples: 0, skipped: 0, seconds: 0).noting(notes)
        }
        var first = runner.job.dataset.calibration
        first.samples = min(first.samples ?? Self.samples, Self.samples)
        let (result, seconds) = try runner.run(
            model.equalizationAgreement(runner.job), over: try runner.job.source(first), named: name)
        let nearness = result.output.signalToNoise
        try check(result, nearness, outcome)
        let comparison =
            nearness.map { String(format: "SQNR of the FP32 output beside that of the model as given: %.1f dB", $0) }
            ?? (result.output.meanSquaredError == 0
                ? "the FP32 output is that of the model as given"
                : "no SQNR, as the output of the model as given is zero or not finite")
        runner.progress.end(note: nearness.map { String(format: "SQNR %.1f dB", $0) })
        notes.append(comparison + " (\(result.samples) samples)")
        if let left = result.badNames.sentence(of: result.skipped) { notes.append(left) }
        for note in notes { runner.progress.message("\(name): \(note)") }
        var stage = Report.Stage(
            name, kind: .equalization, samples: result.samples, skipped: result.skipped, seconds: seconds)
        stage.signalToNoise = nearness
        stage.agreeingTop1 = result.agreeingTop1
        return stage.noting(notes)
    }

    private func check(
        _ result: AgreementResult, _ nearness: Double?, _ outcome: CrossLayerEqualization.Outcome
    ) throws {
        let stages = runner.job.postTraining
        let place = stages.firstIndex(of: .crossLayerEqualization) ?? 0
        guard result.undefined == 0 else {
            throw runner.job.error(
                .outOfRange, key: "post_training[\(place)]", expected: "scores of an equalized FP32 model",
                found: "NaN in \(result.undefined) of \(result.samples) samples")
        }
        guard outcome.keepsFunction, let nearness, nearness < Self.leastSignalToNoise else { return }
        throw runner.job.error(
            .outOfRange, key: "post_training[\(place)]",
            expected: "an equalized FP32 model whose output is that of the model as given (SQNR of at least "
                + String(format: "%.0f dB)", Self.leastSignalToNoise),
            found: String(format: "%.1f dB", nearness))
    }
}

extension ModelPreparation {
    /// Whether the evaluated output can be compared.
    fileprivate var hasFloatOutput: Bool { graph.outputs.first?.elementType == .float32 }
}

extension CrossLayerEqualization.Outcome {
    /// For people: what was scaled and how alike ranges are, what became of Clip nodes and of high biases.
    package var lines: [String] {
        let normalized =
            batchNorms == 0
            ? []
            : [
                "\(batchNorms) batch norms are left in the model, and nothing is scaled across them; "
                    + "fold_batch_norms in post_training folds what can be"
            ]
        guard !sets.isEmpty else {
            return ["no layers to equalize: no layer's value goes to other layers alone, through Relu and the like"]
                + normalized
        }
        let channels = sets.reduce(0) { $0 + $1.scaledChannels }
        let total = sets.reduce(0) { $0 + $1.channels }
        let named = sets.prefix(3).map { $0.layers.joined(separator: " > ") }.joined(separator: ", ")
        func ratio(_ value: (CrossLayerEqualization.ScaledSet) -> Double) -> String {
            String(format: "%.3g", sets.map(value).max() ?? 1)
        }
        var lines = [
            "\(sets.count) sets of layers equalized (\(named)\(sets.count > 3 ? ", ..." : "")): \(channels) of \(total) "
                + "channels scaled, rounds: \(rounds)\(isSettled ? "" : ", and ranges still moved")",
            "largest range of a channel over the smallest in a set: at most \(ratio(\.ratioBefore)) before, "
                + "\(ratio(\.ratioAfter)) after",
        ]
        let constant = sets.reduce(0) { $0 + $1.constantChannels }
        if constant > 0 {
            lines.append("\(constant) channels stay, as their weights are as good as zero beside their biases")
        }
        if !replacedClips.isEmpty {
            let named = replacedClips.prefix(3).joined(separator: ", ") + (replacedClips.count > 3 ? ", ..." : "")
            lines.append("\(replacedClips.count) Clip nodes became Relu, which changes the function: \(named)")
        }
        if absorption.channels > 0 {
            lines.append(
                "high biases of \(absorption.channels) channels in \(absorption.sets) sets went into the next layers, which "
                    + "changes the function for values more than 3 standard deviations below their mean")
        }
        if absorption.setsLeft > 0 {
            lines.append(
                "high biases of \(absorption.setsLeft) sets stay: the next layer pads or has no bias, or no Relu is before it"
            )
        }
        if absorption.setsWithoutStatistics > 0 {
            lines.append(
                "biases of \(absorption.setsWithoutStatistics) sets were not looked at, as no batch norm behind the first "
                    + "layer was folded")
        }
        return lines + normalized
    }
}
