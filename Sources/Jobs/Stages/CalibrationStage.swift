import Datasets
import JobFile
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
                found: "\(result.skipped) bad samples")
        }
        runner.progress.end()
        let stage = Report.Stage(
            "calibrate", kind: .calibration, samples: result.samples, skipped: result.skipped, seconds: seconds)
        return (encoded(result.statistics), result.statistics, stage)
    }
}
