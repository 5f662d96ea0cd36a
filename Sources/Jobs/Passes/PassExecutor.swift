import Cluster
import Datasets
import Execution
import Foundation
import Graph
import ONNX
import Quantization
import Simulation
import Tensors

/// Makes what a worker computes passes with: what `Cluster` moves as bytes has a meaning here.
package final class PassExecutors: PassExecutorFactory {
    private let training = TrainingWorkspace()

    package init() {}

    package func makeExecutor(
        descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data
    ) throws -> any ShardExecutor {
        try reportingFailure {
            guard let instructionSet = Execution.InstructionSet(rawValue: isa) else {
                throw ExecutionError(
                    .missingInstructionSet, expected: isa,
                    found: ComputeLibrary.supportedInstructionSets.map(\.rawValue).joined(separator: ", "))
            }
            try ComputeLibrary.pin(instructionSet)
            switch try WorkerTask(decoding: descriptor) {
            case .pass(let specification): return try executor(specification, artifacts)
            case .step(let step):
                let (model, specification, replica) = try training.model(for: step, artifacts: artifacts)
                guard step.isReduced else { return try TrainingExecutor(specification, model, parts: nil) }
                let reduction = StepReduction(step, model, from: replica, in: training)
                return ReplicatedStepExecutor(
                    slots: try TrainingExecutor(specification, model, parts: reduction.parts), ofStep: reduction)
            case .state(let digest): return StateExecutor(bytes: try training.replica(digest).encoded())
            }
        }
    }

    package func neededArtifacts(descriptor: Data, of artifacts: [ArtifactID]) -> [ArtifactID] {
        guard case .step(let step)? = try? WorkerTask(decoding: descriptor) else { return artifacts }
        return artifacts.filter { training.needs($0, for: step) }
    }

    private func executor(
        _ specification: PassSpecification, _ artifacts: (ArtifactID) throws -> Data
    ) throws -> any ShardExecutor {
        guard let id = ArtifactID(bytes: specification.model) else {
            throw ShardFailure(permanent: true, code: "descriptor")
        }
        var graph = try Graph(importing: ONNXFile(decoding: artifacts(id)))
        if case .analysis(let task) = specification.task {
            let models = try AnalysisModels(task, graph, parameters: specification.parameters)
            return try AnalysisExecutor(specification, models)
        }
        if case .evaluation(let activations) = specification.task {
            graph = graph.simulatingBiases(specification.parameters.merging(activations) { $1 })
        }
        let model = SharedModel(try graph.simulatingParameters(specification.parameters))
        switch specification.task {
        case .calibration(let observed):
            return CalibrationExecutor(specification: specification, model: model, observed: observed)
        case .evaluation(let activations): return try EvaluationExecutor(specification, model, activations)
        case .statistics(let normalizations, let activations):
            return NormalizationExecutor(
                specification: specification, model: model, normalizations: normalizations, activations: activations)
        case .training, .analysis: throw ShardFailure(permanent: true, code: "descriptor")
        }
    }
}

/// The shards of a calibration pass.
struct CalibrationExecutor: ShardExecutor {
    let specification: PassSpecification
    let model: SharedModel
    let observed: [String]

    func prepare(shard: Int, payload: Data) throws -> SampleBatch {
        try reportingFailure {
            try SampleBatch(decoding: ShardPayload(decoding: payload).samples, as: specification)
        }
    }

    func makeLane(keeping memory: LaneMemory) throws -> CalibrationLane {
        CalibrationLane(model, observed: observed, tile: specification.tile)
    }
}

/// The shards of an evaluation pass.
struct EvaluationExecutor: ShardExecutor {
    private let specification: PassSpecification
    private let model: SharedModel
    private let activations: [String: TensorEncodings]
    /// Scores per sample: the elements of a row of the evaluated output, whose further axes may be of extent one.
    private let classes: Int

    init(
        _ specification: PassSpecification, _ model: SharedModel, _ activations: [String: TensorEncodings]
    ) throws {
        self.specification = specification
        self.model = model
        self.activations = activations
        classes = try model.classes(of: specification)
    }

    func prepare(shard: Int, payload: Data) throws -> SampleBatch {
        try reportingFailure {
            try SampleBatch(
                decoding: ShardPayload(decoding: payload).samples, as: specification, classes: classes)
        }
    }

    func makeLane(keeping memory: LaneMemory) throws -> EvaluationLane {
        try reportingFailure {
            try EvaluationLane(
                model, activations: activations, output: specification.output, classes: classes,
                tile: specification.tile)
        }
    }
}

/// Errors of a worker's computing travel to the coordinator as the sentence that the user is to read.
func reportingFailure<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as ShardFailure {
        throw error
    } catch {
        throw ShardFailure(error)
    }
}

extension ShardFailure {
    init(_ error: any Error) {
        let failure = Failure(error)
        self.init(
            permanent: failure.exitReason != .temporary, code: "computation",
            fields: ["sentence": failure.sentence].merging(Failure.file(namedBy: error).map { ["file": $0] } ?? [:]) {
                $1
            })
    }
}
