import Cluster
import ClusterProtocol
import Datasets
import Execution
import Foundation
import Passes
import Support
import Tensors
import Testing
import TestSupport
import Training

/// A training of two layers on arrays, as a worker is told of it: x [2] -> hidden [2] -> ReLU -> output [1], and the squared
/// error. Constants: first [2, 2], second [2, 1].
struct SmallTraining {
    private let replica: TrainingReplica
    private let artifacts: [ArtifactID: Data]
    private let task: Data
    private let snapshot: Data
    private let executors = PassExecutors { ShardFailure(permanent: true, code: "\($0)") }

    /// - Parameter learned: activations with learned ranges.
    init(first: [Float], second: [Float] = [1, 1], learned: [ReplicaPlan.Activation] = []) throws {
        let constants = ["first": Tensor(shape: [2, 2], first), "second": Tensor(shape: [2, 1], second)]
        let plan = ReplicaPlan(
            // In the order in which gradients are finished.
            parameters: [
                .init(name: "second", dimensions: [2, 1], quantizer: nil),
                .init(name: "first", dimensions: [2, 2], quantizer: nil),
            ], activations: learned,
            optimizer: try OptimizerSettings(.sgd(momentum: 0, nesterov: false), learningRate: 0.1),
            ranges: learned.isEmpty ? .static : .learned, weightEncodings: .follow, clipNorm: nil)
        replica = try TrainingReplica(plan, of: constants)
        var model = ModelBuilder()
        model.input("x", ["n", "2"])
        for (name, tensor) in constants.sorted(by: { $0.key < $1.key }) { model.constant(name, tensor) }
        model.node("MatMul", ["x", "first"], ["hidden"])
        model.node("Relu", ["hidden"], ["activation"])
        model.node("MatMul", ["activation", "second"], ["output"])
        model.output("output", ["n", "1"])
        let file = try model.file.encoded()
        let loss = TrainingTask.Loss.meanSquaredError(
            targets: PassSpecification.Input(name: "output", dimensions: [1], preprocessing: nil))
        task = try TrainingTask(
            PassSpecification(
                model: ArtifactID(of: file).bytes,
                inputs: [PassSpecification.Input(name: "x", dimensions: [2], preprocessing: nil)], output: "output",
                parameters: [:], tile: 2, skipsBadSamples: false),
            replica: plan, loss: loss, globalBatch: 2, slotBatch: 2, seed: 1, augmentation: nil, precision: .full
        ).encoded()
        snapshot = replica.encoded()
        artifacts = Dictionary(
            uniqueKeysWithValues: [file, task, snapshot].map { (ArtifactID(of: $0), $0) })
    }

    /// What the worker takes a step with, one attempt of it.
    func executor(isReduced: Bool, learningRate: Double = 0.5) throws -> any ShardExecutor {
        let step = OptimizerStep(
            task: ArtifactID(of: task).bytes, step: 7, epoch: 0, learningRate: learningRate,
            state: replica.digest, snapshot: ArtifactID(of: snapshot).bytes, isReduced: isReduced)
        return try executor(step)
    }

    /// What a new worker answers to the probe of a step, and what it was asked.
    func probe(step: Int) throws -> (subject: SHA256Digest?, answer: SHA256Digest?) {
        let workload = OptimizerStep(
            task: ArtifactID(of: task).bytes, step: step, epoch: 0, learningRate: 0.5,
            state: replica.digest, snapshot: nil, isReduced: false)
        let answer = try PassExecutors { ShardFailure(permanent: true, code: "\($0)") }.probe(
            descriptor: workload.encoded()
        ) { try #require(artifacts[$0]) }
        return (workload.probeSubject(), answer)
    }

    /// The worker's state of a digest.
    func state(_ digest: Data) throws -> Data {
        var stretches = StateStretches(size: try TrainingReplica.size(of: replica.plan))
        let whole = try #require(try stretches.next())
        return try Self.compute(executor(StateTransfer(of: digest)), whole.payload, shard: 0)
    }

    /// The state after a step.
    func stepped(gradient: [Float], learningRate: Double = 0.5) throws -> TrainingReplica {
        var replica = replica
        try replica.step(gradient: gradient, learningRate: learningRate)
        return replica
    }

    private func executor(_ workload: some Workload) throws -> any ShardExecutor {
        let isa = try #require(ComputeLibrary.supportedInstructionSets.last).rawValue
        return try executors.makeExecutor(descriptor: workload.encoded(), isa: isa) { try #require(artifacts[$0]) }
    }

    /// Two samples: rows of x, and targets.
    static func payload(_ x: [[Float]], targets: [Float] = [0, 0]) throws -> Data {
        let samples = zip(x, targets).enumerated().map { index, pair in
            Sample(
                key: "\(index)", source: "x.npz",
                content: .arrays([
                    "x": Tensor(shape: [2], pair.0), "output": Tensor(shape: [1], [pair.1]),
                ]))
        }
        return SlotPayload(indices: Array(samples.indices), samples: samples).encoded()
    }

    static func compute<Executor: ShardExecutor>(
        _ executor: Executor, _ payload: Data, shard: Int, keeping memory: LaneMemory = LaneMemory()
    ) throws -> Data {
        try executor.makeLane(keeping: memory).compute(executor.prepare(shard: shard, payload: payload))
    }
}
