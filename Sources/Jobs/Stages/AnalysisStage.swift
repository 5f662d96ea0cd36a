import Datasets
import JobFile
import Passes
import Quantization
import Reports
import Tensors

/// Finds out what each quantizer does. One pass: every shard of samples is computed in all variants, block after block, so a
/// resumed job goes on where it was.
struct AnalysisStage {
    let runner: PassRunner
    let output: OutputFolder

    /// Analyzes a calibrated model and writes `analysis.json`.
    /// - Parameters:
    ///   - source: the samples to analyze with.
    ///   - isEvaluation: whether they are of `dataset.evaluation`, else of `dataset.calibration`.
    ///   - statistics: of the calibration.
    func run(
        _ model: QuantizedModel, over source: DatasetSource, isEvaluation: Bool, _ statistics: StatisticsSet
    ) throws -> (analysis: AnalysisReport, stage: Report.Stage) {
        let preparation = model.preparation
        let workload = Analysis(
            model.pass(runner.job, parameters: preparation.constantEncodings(model.activations)),
            activations: preparation.valueEncodings(model.activations),
            quantizers: AnalysisQuantizer.all(
                preparation.placement, activations: model.activations, parameters: preparation.parameterEncodings),
            countsLabels: isEvaluation)
        let (result, seconds) = try runner.run(workload, over: source, named: "analyze")
        let analysis = AnalysisReport(
            workload, result, tensors: try tensors(workload, result, model, statistics),
            dataset: isEvaluation ? "evaluation" : "calibration")
        try writeAtomically(analysis.json(), to: output.analysis)
        runner.progress.end(note: "\(workload.quantizers.count) quantizers")
        let stage = Report.Stage(
            "analyze", kind: .analysis, samples: analysis.samples, skipped: analysis.skipped, seconds: seconds)
        return (analysis, stage)
    }

    private func tensors(
        _ workload: Analysis, _ result: AnalysisResult, _ model: QuantizedModel, _ statistics: StatisticsSet
    ) throws -> [AnalysisReport.TensorSummary] {
        let encodings = workload.pass.parameters.merging(workload.activations) { $1 }
        var tensors: [AnalysisReport.TensorSummary] = []
        for quantizer in workload.quantizers {
            for name in quantizer.tensors {
                guard let own = encodings[name] else { continue }
                if let constant = model.preparation.graph.constants[name] {
                    guard constant.elementType == .float32 else { continue }
                    tensors.append(try .init(name, quantizer.role, own, constant: constant))
                } else {
                    tensors.append(
                        .init(
                            name, quantizer.role, own, statistics.tensors[name] ?? TensorStatistics(),
                            noise: result.layers[name]))
                }
            }
        }
        return tensors
    }
}

extension AnalysisReport {
    /// What an analysis found, for people and programs.
    /// - Parameters:
    ///   - dataset: the section of the job file that the samples are of.
    fileprivate init(
        _ workload: Analysis, _ result: AnalysisResult, tensors: [TensorSummary], dataset: String
    ) {
        let places = Dictionary(uniqueKeysWithValues: workload.variants.enumerated().map { ($1, $0) })
        func variant(_ variant: AnalysisVariant) -> AnalysisResult.Variant {
            places[variant].flatMap { result.variants[$0] } ?? .init()
        }
        let counts = variant(.fp32).counts
        self.init(
            samples: counts.samples, skipped: counts.skipped, dataset: dataset, fp32: Effect(variant(.fp32)),
            quantized: Effect(variant(.quantized)), parametersOnly: Effect(variant(.parametersOnly)),
            activationsOnly: Effect(variant(.activationsOnly)),
            quantizers: workload.quantizers.enumerated().map { index, quantizer in
                Quantizer(
                    tensor: quantizer.tensor, role: quantizer.role, tensors: quantizer.tensors,
                    bitwidth: quantizer.bitwidth, on: Effect(variant(.on(index))), off: Effect(variant(.off(index))))
            }, tensors: tensors)
    }
}

extension AnalysisReport.Effect {
    fileprivate init(_ variant: AnalysisResult.Variant) {
        self.init(
            top1: variant.counts.top1Percent, sqnr: variant.output.signalToNoise,
            meanSquaredError: variant.output.meanSquaredError, leftOut: variant.output.leftOut)
    }
}
