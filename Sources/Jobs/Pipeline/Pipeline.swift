import Cluster
import Datasets
import Execution
import Foundation
import Graph
import ONNX
import Quantization
import Simulation
import Tensors

/// A job from its model to its output folder, over whatever workers the coordinator has.
struct Pipeline {
    let job: JobFile
    let output: OutputFolder
    let coordinator: Coordinator
    let display: ProgressDisplay
    private var preparation: ModelPreparation
    private let calibration: DatasetSource
    private let training: DatasetSource?
    private let evaluation: DatasetSource?
    private let checkpoints: TrainingCheckpoints?
    private var model: ArtifactID
    private var stages: [Report.Stage] = []
    private var trainingSummary: Report.Training?

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
    /// - Returns: what the report needs to know of the stages.
    mutating func run() throws -> (stages: [Report.Stage], training: Report.Training?, digest: Report.Digest) {
        var activations = try calibrate()
        if let evaluation {
            try evaluate(evaluation, as: .fp32, parameters: [:], activations: [:])
            try evaluate(
                evaluation, as: .quantized, parameters: preparation.constantEncodings(activations),
                activations: preparation.valueEncodings(activations))
        }
        if let training = job.training, let source = self.training, let checkpoints {
            activations = try train(training, on: source, checkpoints, activations)
            activations = try completeBatchNorms(training, source, activations)
            if let evaluation {
                try evaluate(
                    evaluation, as: .trained, parameters: preparation.constantEncodings(activations),
                    activations: preparation.valueEncodings(activations))
            }
        }
        return (stages, trainingSummary, try export(activations))
    }

    private mutating func calibrate() throws -> [String: TensorEncodings] {
        let observed = preparation.placement.observedTensors.sorted()
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
        return ActivationEncodings.compute(
            graph: preparation.graph, placement: preparation.placement, statistics: result.statistics)
    }

    private mutating func train(
        _ training: JobFile.Training, on source: DatasetSource, _ checkpoints: TrainingCheckpoints,
        _ activations: [String: TensorEncodings]
    ) throws -> [String: TensorEncodings] {
        let stage = try TrainingStage(
            job, training, preparation, model: model, source: source, activations: activations)
        var isBegun = false
        let (replica, progress) = try namingModel {
            try stage.run(on: coordinator, checkpoints: checkpoints) { [display] progress, loss in
                if !isBegun {
                    let done = progress.samples + progress.skipped
                    display.begin(stage: "train", total: stage.sampleCount, done: done)
                    if progress.steps > 0 { display.message("training goes on from step \(progress.steps)") }
                    isBegun = true
                }
                guard let loss, let epoch = progress.epochs.last else { return }
                display.note(String(format: "epoch %d  loss %.4f", epoch.epoch + 1, loss))
            }
        }
        trainingSummary = progress.summary
        let trained = try stage.applying(replica, to: activations)
        preparation = trained.preparation
        model = coordinator.addArtifact(preparation.artifact)
        stages.append(
            Report.Stage(
                "train", kind: .training, samples: progress.samples, skipped: progress.skipped,
                seconds: progress.seconds))
        display.end(note: trainingSummary?.epochs.last.map { String(format: "loss %.4f", $0.loss) })
        return trained.activations
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

    private mutating func evaluate(
        _ source: DatasetSource, as form: Report.Stage.Model, parameters: [String: TensorEncodings],
        activations: [String: TensorEncodings]
    ) throws {
        let specification = specification(.evaluation(activations: activations), parameters: parameters)
        let name = "evaluate \(form.rawValue)"
        let (result, outcome): (EvaluationResult, PassOutcome) = try run(specification, over: source, named: name)
        stages.append(
            Report.Stage(
                name, evaluating: form, samples: result.samples, skipped: result.skipped, seconds: outcome.seconds,
                correctTop1: result.isLabelled ? result.top1 : nil, correctTop5: result.isLabelled ? result.top5 : nil))
        display.end(note: stages.last?.top1Percent.map { String(format: "top-1 %.2f %%", $0) })
    }

    private func run<Result: MergeableResult>(
        _ specification: PassSpecification, over source: DatasetSource, named name: String
    ) throws -> (Result, PassOutcome) {
        let outcome = try namingModel {
            let shards = try SampleShards(
                source, inputElements: specification.inputs.reduce(0) { $0 + $1.dimensions.reduce(1, *) },
                batch: job.dataset.batch, skipsBadSamples: specification.skipsBadSamples)
            display.begin(stage: name, total: shards.sampleCount)
            return try coordinator.run(
                pass: PassDescription(
                    name: name, descriptor: WorkerTask.pass(specification).encoded(), artifacts: [model],
                    shardCount: shards.count),
                source: shards, reducer: MergingReducer<Result>())
        }
        return (try Result(decoding: outcome.state), outcome)
    }

    /// A worker has the model as bytes and cannot name its file in an error.
    private func namingModel<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ClusterError where error.failure?.fields["sentence"] != nil {
            guard error.failure?.fields["file"] == nil else { throw error }
            throw ErrorInFile(error, file: job.url(for: job.model).path)
        }
    }

    private func specification(
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
            let data = file.write(version: fileVersion)
            if index == 0 {
                try writeAtomically(data, to: output.encodings)
                digest = SHA256Digest(of: data)
            }
            try writeAtomically(data, to: output.encodings(version))
        }
        return Report.Digest(
            encodings: digest?.description, weights: preparation.weightsDigest.description)
    }
}
