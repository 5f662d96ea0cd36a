import Cluster
import Datasets
import Execution
import Foundation
import Graph
import ONNX
import Quantization
import Simulation
import Synchronization
import Tensors

/// Makes what a worker computes passes with: what `Cluster` moves as bytes has a meaning here.
final class PassExecutors: PassExecutorFactory {
    /// The model of the last training step: the steps of a job share it, and with it the plans of the lanes.
    private let trained = Mutex<(id: ArtifactID, model: SharedModel)?>(nil)

    func makeExecutor(
        descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data
    ) throws -> any ShardExecutor {
        try reportingFailure {
            guard let instructionSet = Execution.InstructionSet(rawValue: isa) else {
                throw ExecutionError(
                    .missingInstructionSet, expected: isa,
                    found: ComputeLibrary.supportedInstructionSets.map(\.rawValue).joined(separator: ", "))
            }
            try ComputeLibrary.pin(instructionSet)
            let specification = try PassSpecification(decoding: descriptor)
            guard let id = ArtifactID(bytes: specification.model) else {
                throw ShardFailure(permanent: true, code: "descriptor")
            }
            func graph() throws -> Graph { try Graph(importing: ONNXFile(decoding: artifacts(id))) }
            switch specification.task {
            case .calibration(let observed):
                let model = SharedModel(try graph().simulatingParameters(specification.parameters))
                return CalibrationExecutor(specification: specification, model: model, observed: observed)
            case .evaluation(let activations):
                let model = SharedModel(try graph().simulatingParameters(specification.parameters))
                return try EvaluationExecutor(specification, model, activations)
            case .training(let step):
                guard let weights = ArtifactID(bytes: step.weights) else {
                    throw ShardFailure(permanent: true, code: "descriptor")
                }
                let model = try trained.withLock { trained in
                    if let known = trained, known.id == id { return known.model }
                    // Trained constants are fed with every step, the others never change.
                    let fixed = specification.parameters.filter { !step.trained.contains($0.key) }
                    let model = SharedModel(try graph().simulatingParameters(fixed))
                    trained = (id, model)
                    return model
                }
                return try TrainingExecutor(specification, step, model, weights: artifacts(weights))
            }
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

    func makeLane() throws -> CalibrationLane {
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

    func makeLane() throws -> EvaluationLane {
        try reportingFailure {
            try EvaluationLane(
                model, activations: activations, output: specification.output, classes: classes,
                tile: specification.tile)
        }
    }
}

extension SharedModel {
    /// Scores per sample of the evaluated output.
    fileprivate func classes(of specification: PassSpecification) throws -> Int {
        let shapes = Dictionary(
            uniqueKeysWithValues: specification.inputs.map { ($0.name, Shape([specification.tile] + $0.dimensions)) })
        let scores = try specialized(shapes).types[specification.output]?.shape
        return scores?.dimensions.dropFirst().reduce(1, *) ?? 0
    }
}

/// The slots of an optimizer step.
struct TrainingExecutor: ShardExecutor {
    private let specification: PassSpecification
    private let step: TrainingStep
    private let model: SharedModel
    private let weights: StepWeights
    private let classes: Int

    init(
        _ specification: PassSpecification, _ step: TrainingStep, _ model: SharedModel, weights: Data
    ) throws {
        self.specification = specification
        self.step = step
        self.model = model
        self.weights = try StepWeights(
            weights, of: step.trained, shapes: model.graph.constants, encodings: specification.parameters)
        classes = try model.classes(of: specification)
    }

    func prepare(shard: Int, payload: Data) throws -> SampleBatch {
        try reportingFailure {
            let slot = try SlotPayload(decoding: payload)
            return try SampleBatch(
                decoding: slot.samples, as: specification, classes: classes, needsLabels: true,
                augment: { place in
                    step.augmentation?.choice(seed: step.seed, epoch: step.epoch, sample: slot.indices[place])
                })
        }
    }

    func makeLane() throws -> TrainingLane {
        try reportingFailure { try TrainingLane(model, step, weights, output: specification.output) }
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
