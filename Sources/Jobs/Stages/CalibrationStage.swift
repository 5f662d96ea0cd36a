import Datasets
import Graph
import JobFile
import Nodes
import Operators
import Passes
import Quantization
import Reports
import Simulation

/// Computes the encodings of activations from what samples show.
struct CalibrationStage {
    let runner: PassRunner

    /// - Returns: the model with its encodings, the statistics that these are of, and the stage for the report; no stage where
    ///   samples would tell nothing.
    /// - Throws: as a pass does, and `JobError` where no sample can be read.
    func run(
        _ model: QuantizedModel, over source: DatasetSource
    ) throws -> (model: QuantizedModel, statistics: StatisticsSet, stage: Report.Stage?) {
        let preparation = model.preparation
        func encoded(_ statistics: StatisticsSet) -> QuantizedModel {
            model.encoded(
                ActivationEncodings.compute(
                    graph: preparation.graph, placement: preparation.placement, statistics: statistics))
        }
        let observed = preparation.placement.observedTensors.sorted()
        guard !observed.isEmpty else {
            // All encodings are given or follow from constants.
            return (encoded(StatisticsSet()), StatisticsSet(), nil)
        }
        let (result, seconds) = try runner.run(
            Calibration(model.pass(runner.job, parameters: preparation.parameterEncodings), observed: observed),
            over: source, named: "calibrate")
        guard result.samples > 0 else {
            throw runner.job.error(
                .outOfRange, key: "dataset.calibration", expected: "at least one sample that can be read",
                found: result.badNames.sentence(of: result.skipped) ?? "none")
        }
        runner.progress.end()
        try check(result.statistics, output: preparation.output)
        var notes = [taken(result, of: try source.total())]
        if let left = result.badNames.sentence(of: result.skipped) { notes.append("calibrate: \(left)") }
        notes += self.notes(on: result)
        notes.forEach(runner.progress.message)
        let stage = Report.Stage(
            "calibrate", kind: .calibration, samples: result.samples, skipped: result.skipped, seconds: seconds)
        return (encoded(result.statistics), result.statistics, stage.noting(notes))
    }

    /// Which samples were looked at.
    private func taken(_ result: CalibrationResult, of total: Int) -> String {
        let count = result.samples + result.skipped
        let order = runner.job.dataset.calibration.order
        let place = count == total ? "all" : order == .first ? "the first of \(total)" : "spread over \(total)"
        let text = "calibrated with \(result.samples) samples, \(place)"
        guard !result.classes.isEmpty else { return text + ", without labels" }
        let classes = result.classes.sorted { $0.key < $1.key }
        let shown = classes.prefix(12).map { "\($0.value) of class \($0.key)" }.joined(separator: ", ")
        return text + ": " + shown + (classes.count > 12 ? ", ... (\(classes.count) classes)" : "")
    }

    /// Samples are finite, so NaN comes of the model: where its output has one, or a tensor nothing else, no encoding helps.
    private func check(_ statistics: StatisticsSet, output: String) throws {
        for (name, tensor) in statistics.tensors.sorted(by: { $0.key < $1.key }) where tensor.count > 0 {
            guard (name == output && tensor.nanCount > 0) || tensor.finiteCount == 0 else { continue }
            throw GraphError(
                .notFinite, tensor: name, expected: "finite values in calibration",
                found: "\(tensor.nanCount) NaN and \(tensor.infinityCount) infinities among \(tensor.count)")
        }
    }

    private func notes(on result: CalibrationResult) -> [String] {
        notesOnMasks(in: result) + notesOnInfinities(in: result)
    }

    /// Masks that are constants have no quantizer; those that come in with the samples are not known before.
    private func notesOnMasks(in result: CalibrationResult) -> [String] {
        let tensors = result.statistics.tensors.filter { ($1.minimum ?? 0) <= -1e9 }.keys.sorted()
        guard !tensors.isEmpty else { return [] }
        return [
            "\(tensors.count) tensors have values below -1e9, as masks have, and grids that hold nothing else: "
                + tensors.prefix(3).joined(separator: ", ") + (tensors.count > 3 ? ", ..." : "")
                + " (quantization.overrides with enabled: false leaves them as they are)"
        ]
    }

    private func notesOnInfinities(in result: CalibrationResult) -> [String] {
        let tensors = result.statistics.tensors.filter { $1.nanCount + $1.infinityCount > 0 }
            .sorted { $0.key < $1.key }
        guard !tensors.isEmpty else { return [] }
        let named = tensors.prefix(3).map { name, tensor in
            "\(name) (\(tensor.nanCount) NaN, \(tensor.infinityCount) infinite)"
        }
        return [
            "\(tensors.count) tensors have values that are not finite, which encodings ignore: "
                + named.joined(separator: ", ") + (tensors.count > 3 ? ", ..." : "")
        ]
    }
}
