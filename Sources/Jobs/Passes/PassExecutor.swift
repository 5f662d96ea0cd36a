import Cluster
import Datasets
import Execution
import Foundation
import Graph
import ONNX
import Simulation
import Tensors

/// Computes the shards of one pass in a worker: what `Cluster` moves as bytes has a meaning here.
struct PassExecutor: ShardExecutor {
    private let specification: PassSpecification
    private let model: SharedModel

    /// - Parameter model: an ONNX file with its data inline.
    init(_ specification: PassSpecification, model: Data) throws {
        try ComputeLibrary.pin(specification.instructionSet)
        self.specification = specification
        let graph = try Graph(importing: ONNXFile(decoding: model))
        self.model = SharedModel(try graph.simulatingParameters(specification.parameters))
    }

    func prepare(shard: Int, payload: Data) throws -> SampleBatch {
        let samples = try ShardPayload(decoding: payload).samples
        let batch = try SampleBatch(decoding: samples, as: specification)
        if case .evaluation = specification.task {
            try checkLabels(of: samples, batch)
        }
        return batch
    }

    func makeLane() throws -> any ShardLane<SampleBatch> {
        switch specification.task {
        case .calibration(let observed):
            CalibrationShardLane(CalibrationLane(model, observed: observed, tile: specification.tile))
        case .evaluation(let activations):
            EvaluationShardLane(
                try EvaluationLane(
                    model, activations: activations, output: specification.output, tile: specification.tile))
        }
    }
}
