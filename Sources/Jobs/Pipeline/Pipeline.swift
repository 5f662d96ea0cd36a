import Cluster
import Datasets
import Execution
import Foundation
import Graph
import ONNX
import Quantization
import Simulation
import Support
import Tensors

/// A job from its model to its output folder, over whatever workers the coordinator has.
struct Pipeline {
    let job: JobFile
    let output: OutputFolder
    let coordinator: Coordinator
    let display: ProgressDisplay
    var preparation: ModelPreparation
    let calibration: DatasetSource
    private let training: DatasetSource?
    let evaluation: DatasetSource?
    private let checkpoints: TrainingCheckpoints?
    var model: ArtifactID
    var stages: [Report.Stage] = []
    var trainingSummary: Report.Training?
    var analysis: Analysis?

    init(
        _ job: JobFile, _ preparation: ModelPreparation, calibration: DatasetSource, training: DatasetSource?,
        evaluation: DatasetSource?, checkpoints: TrainingCheckpoints?, output: OutputFolder, coordinator: Coordinator,
        display: ProgressDisplay
    ) {
        self.job = job
        self.preparation = preparation
        self.calibration = calibration
        self.training = training
        self.evaluation = evaluation
        self.checkpoints = checkpoints
        self.output = output
        self.coordinator = coordinator
        self.display = display
        model = coordinator.addArtifact(preparation.artifact)
    }

    /// Runs all stages and writes their results.
    /// - Returns: the digests of what was exported. What the report needs beside them is in the pipeline then.
    mutating func run() throws -> Report.Digest {
        for taken in preparation.encodingsTaken { display.message(taken.text) }
        let calibrated = try calibrate()
        var activations = calibrated.activations
        if let evaluation {
            try evaluate(evaluation, as: .fp32, fp32Evaluation())
            try evaluate(evaluation, as: .quantized, quantizedEvaluation(activations))
        }
        if let analysis = job.analysis { try analyze(analysis, activations, calibrated.statistics) }
        if let training = job.training, let source = self.training, let checkpoints {
            let progress: TrainingProgress
            (activations, progress) = try train(training, on: source, checkpoints, activations)
            activations = try completeBatchNorms(training, source, activations)
            if let evaluation {
                try evaluate(
                    evaluation, as: .trained, quantizedEvaluation(activations), known: progress.best?.evaluation)
            }
        }
        return try export(activations)
    }

    private mutating func calibrate() throws -> (activations: [String: TensorEncodings], statistics: StatisticsSet) {
        let observed = preparation.placement.observedTensors.sorted()
        guard !observed.isEmpty else {
            // All encodings are given or follow from constants: samples would tell nothing.
            let none = StatisticsSet()
            return (
                ActivationEncodings.compute(
                    graph: preparation.graph, placement: preparation.placement, statistics: none), none
            )
        }
        let specification = specification(
            .calibration(observed: observed), parameters: preparation.parameterEncodings)
        let (result, outcome): (CalibrationResult, PassOutcome) = try run(
            specification, over: calibration, named: "calibrate")
        guard result.samples > 0 else {
            throw job.error(
                .outOfRange, key: "dataset.calibration", expected: "at least one sample that can be read",
                found: "\(result.skipped) bad samples")
        }
        stages.append(
            Report.Stage(
                "calibrate", kind: .calibration, samples: result.samples, skipped: result.skipped,
                seconds: outcome.seconds))
        display.end()
        let activations = ActivationEncodings.compute(
            graph: preparation.graph, placement: preparation.placement, statistics: result.statistics)
        return (activations, result.statistics)
    }

    private mutating func evaluate(
        _ source: DatasetSource, as form: Report.Stage.Model, _ specification: PassSpecification,
        known: TrainingProgress.Evaluation? = nil
    ) throws {
        let name = "evaluate \(form.rawValue)"
        let evaluation: TrainingProgress.Evaluation
        // The same specification has the same result, so that is not computed again.
        if let known, known.specification == (try specification.digest()) {
            evaluation = known
        } else {
            evaluation = try self.evaluation(source, specification, named: name)
            display.end(note: evaluation.result.top1Percent.map { String(format: "top-1 %.2f %%", $0) })
        }
        let result = evaluation.result
        stages.append(
            Report.Stage(
                name, evaluating: form, samples: result.samples, skipped: result.skipped, seconds: evaluation.seconds,
                correctTop1: result.isLabelled ? result.top1 : nil, correctTop5: result.isLabelled ? result.top5 : nil))
    }

    /// Estimates the statistics of batch norms that training has kept, and folds them.
    private mutating func completeBatchNorms(
        _ training: JobFile.Training, _ source: DatasetSource, _ activations: [String: TensorEncodings]
    ) throws -> [String: TensorEncodings] {
        guard let estimation = try BatchNormEstimation(job, training, source: source) else { return activations }
        let completed = try namingModel {
            try estimation.completing(preparation, activations, on: coordinator, display: display)
        }
        preparation = completed.preparation
        model = coordinator.addArtifact(preparation.artifact)
        return completed.activations
    }

    private func fp32Evaluation() -> PassSpecification {
        specification(.evaluation(activations: [:]), parameters: [:])
    }

    /// - Parameter activations: encodings of all activations, constants among them.
    func quantizedEvaluation(_ activations: [String: TensorEncodings]) -> PassSpecification {
        specification(
            .evaluation(activations: preparation.valueEncodings(activations)),
            parameters: preparation.constantEncodings(activations))
    }

    /// - Parameter isPart: of a stage that runs: it is not journaled then, and shown in place of that stage.
    func evaluation(
        _ source: DatasetSource, _ specification: PassSpecification, named name: String, isPart: Bool = false
    ) throws -> TrainingProgress.Evaluation {
        let (result, outcome): (EvaluationResult, PassOutcome) = try run(
            specification, over: source, named: name, isPart: isPart)
        return TrainingProgress.Evaluation(
            result, seconds: outcome.seconds, specification: try specification.digest())
    }

    private func run<Result: MergeableResult>(
        _ specification: PassSpecification, over source: DatasetSource, named name: String, isPart: Bool = false
    ) throws -> (Result, PassOutcome) {
        let outcome = try namingModel {
            let shards = try SampleShards(
                source, inputElements: specification.inputs.reduce(0) { $0 + $1.dimensions.reduce(1, *) },
                batch: job.dataset.batch, skipsBadSamples: specification.skipsBadSamples)
            if isPart {
                display.beginPart(name, total: shards.sampleCount)
            } else {
                display.begin(stage: name, total: shards.sampleCount)
            }
            defer { if isPart { display.endPart() } }
            return try coordinator.run(
                pass: PassDescription(
                    name: name, descriptor: WorkerTask.pass(specification).encoded(), artifacts: [model],
                    shardCount: shards.count, isJournaled: !isPart),
                source: shards, reducer: MergingReducer<Result>())
        }
        return (try Result(decoding: outcome.state), outcome)
    }

    /// A worker has the model as bytes and cannot name its file in an error.
    func namingModel<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ClusterError where error.failure?.fields["sentence"] != nil {
            guard error.failure?.fields["file"] == nil else { throw error }
            throw ErrorInFile(error, file: job.url(for: job.model).path)
        }
    }

    func specification(
        _ task: PassSpecification.Task, parameters: [String: TensorEncodings]
    ) -> PassSpecification {
        PassSpecification(
            task: task, model: model.bytes, inputs: preparation.inputs, output: preparation.output,
            parameters: parameters, tile: preparation.tile, skipsBadSamples: job.dataset.onBadSample == .skip)
    }

    private func export(_ activations: [String: TensorEncodings]) throws -> Report.Digest {
        let exported = preparation.graph.exported(over: preparation.original)
        try exported.write(to: output.model)
        let file = preparation.encodingsFile(activations, job)
        var digest: SHA256Digest?
        for (index, version) in job.export.encodings.enumerated() {
            guard let fileVersion = version.fileVersion else { continue }
            let data = try file.write(version: fileVersion)
            if index == 0 {
                try writeAtomically(data, to: output.encodings)
                digest = SHA256Digest(of: data)
            }
            try writeAtomically(data, to: output.encodings(version))
        }
        if job.export.onnxQDQ {
            try preparation.quantizedModel(activations).write(to: output.quantizedModel)
        }
        return Report.Digest(
            encodings: digest?.description, weights: preparation.weightsDigest.description)
    }
}
