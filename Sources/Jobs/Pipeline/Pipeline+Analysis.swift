import Cluster
import Datasets
import Foundation
import Quantization

extension Pipeline {
    /// Finds out what each quantizer does, and writes it. One pass: every shard of samples is computed in all variants, block
    /// after block, so a resumed job goes on where it was.
    /// - Parameters:
    ///   - activations: encodings of all activations, constants among them.
    ///   - statistics: of the calibration.
    mutating func analyze(
        _ wanted: JobFile.Analysis, _ activations: [String: TensorEncodings], _ statistics: StatisticsSet
    ) throws {
        let source = try analyzedSource(wanted)
        let task = AnalysisTask(
            activations: preparation.valueEncodings(activations),
            quantizers: AnalysisQuantizer.all(
                preparation.placement, activations: activations, parameters: preparation.parameterEncodings),
            countsLabels: evaluation != nil)
        let specification = specification(.analysis(task), parameters: preparation.constantEncodings(activations))
        let outcome = try namingModel {
            let shards = AnalysisShards(
                try SampleShards(
                    source, inputElements: specification.inputs.reduce(0) { $0 + $1.dimensions.reduce(1, *) },
                    batch: job.dataset.batch, skipsBadSamples: specification.skipsBadSamples), task)
            display.begin(stage: "analyze", total: shards.sampleCount)
            return try coordinator.run(
                pass: PassDescription(
                    name: "analyze", descriptor: WorkerTask.pass(specification).encoded(), artifacts: [model],
                    shardCount: shards.count),
                source: shards, reducer: MergingReducer<AnalysisResult>())
        }
        let result = try AnalysisResult(decoding: outcome.state)
        let analysis = try self.analysis(task, result, activations, statistics)
        self.analysis = analysis
        stages.append(
            Report.Stage(
                "analyze", kind: .analysis, samples: analysis.samples, skipped: analysis.skipped,
                seconds: outcome.seconds))
        try writeAtomically(analysis.json(), to: output.analysis)
        display.end(note: "\(task.quantizers.count) quantizers")
    }

    /// The first samples of evaluation, or of calibration where the job has no evaluation.
    private func analyzedSource(_ wanted: JobFile.Analysis) throws -> DatasetSource {
        let whole = job.dataset.evaluation ?? job.dataset.calibration
        var first = whole
        if let samples = wanted.samples { first.samples = min(samples, whole.samples ?? samples) }
        return try job.source(first)
    }

    private func analysis(
        _ task: AnalysisTask, _ result: AnalysisResult, _ activations: [String: TensorEncodings],
        _ statistics: StatisticsSet
    ) throws -> Analysis {
        let places = Dictionary(uniqueKeysWithValues: task.variants.enumerated().map { ($1, $0) })
        func variant(_ variant: AnalysisVariant) -> AnalysisResult.Variant {
            places[variant].flatMap { result.variants[$0] } ?? .init()
        }
        let encodings = preparation.constantEncodings(activations).merging(task.activations) { $1 }
        var tensors: [Analysis.TensorSummary] = []
        for quantizer in task.quantizers {
            for name in quantizer.tensors {
                guard let own = encodings[name] else { continue }
                if let constant = preparation.graph.constants[name] {
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
        let counts = variant(.fp32).counts
        return Analysis(
            samples: counts.samples, skipped: counts.skipped,
            dataset: evaluation == nil ? "calibration" : "evaluation", fp32: .init(variant(.fp32)),
            quantized: .init(variant(.quantized)), parametersOnly: .init(variant(.parametersOnly)),
            activationsOnly: .init(variant(.activationsOnly)),
            quantizers: task.quantizers.enumerated().map { index, quantizer in
                Analysis.Quantizer(
                    tensor: quantizer.tensor, role: quantizer.role, tensors: quantizer.tensors,
                    bitwidth: quantizer.bitwidth, on: .init(variant(.on(index))), off: .init(variant(.off(index))))
            }, tensors: tensors)
    }
}
