import Datasets
import Execution
import Foundation
import Graph
import JobFile
import Nodes
import ONNX
import Operators
import Passes
import PostTraining
import Quantization
import Simulation
import Support
import Tensors

/// A job's model made ready for calibration: imported, batch norms folded, layers equalized, quantizers placed, parameters encoded. All of it
/// depends on the job file, the model and the first samples alone.
struct ModelPreparation: Sendable {
    /// The file as the user gave it; what is exported keeps its metadata.
    let original: ONNXFile
    /// With folded weights, as it is exported.
    private(set) var graph: Graph
    /// What workers compute: the graph for any number of samples where that is possible, as a file and its tensors.
    private(set) var artifact: PackedModel
    /// The graph in it.
    private(set) var computed: Graph
    let inputs: [PassSpecification.Input]
    /// The graph output that is evaluated: the first.
    let output: String
    /// Samples per forward pass, of those that `inputs` says.
    let tile: Int
    private(set) var placement: QuantizerPlacement
    /// Of the encodings files that the job names.
    let encodingsTaken: [EncodingsTaken]
    private(set) var parameterEncodings: [String: TensorEncodings]
    /// Of the job's training, if it trains.
    let loss: TrainingLoss?
    /// What equalization did; nil where the job wants none.
    let equalization: Equalization?

    /// What equalization did to a model.
    struct Equalization: Sendable {
        let outcome: CrossLayerEqualization.Outcome
        /// What workers compute for the model before it.
        let artifact: PackedModel
    }

    /// - Parameters:
    ///   - source: where calibration samples come from; they tell the extents that the model leaves open.
    ///   - training: where training samples come from, if the job trains.
    ///   - imported: the job's model where it was read before.
    init(
        _ job: JobFile, source: DatasetSource, training: DatasetSource?, imported: ImportedModel? = nil
    ) throws {
        let url = job.url(for: job.model)
        let imported = try imported ?? attributingErrors(to: url.path) { try ImportedModel(ONNXFile.read(url)) }
        let file = imported.file
        original = file
        (
            graph, computed, artifact, inputs, tile, placement, encodingsTaken, parameterEncodings, loss,
            equalization
        ) =
            try attributingErrors(
                to: url.path
            ) {
                let prepared = try job.wholeGraph(imported)
                let (whole, own) = (prepared.graph, prepared.encodings)
                let graph = try job.withoutLoss(whole)
                try job.checkBatchNorms(of: graph)
                let inputs = try job.inputs(of: graph, from: source)
                let computed = try graph.forTiles(inputs, batch: job.dataset.batch)
                let single = try computed.stagedSpecialization(inputShapes: inputs.shapes(samples: 1))
                try ExecutionSupport.check(single)
                let tile =
                    inputs.haveSampleAxis
                    ? computed.fixedBatch ?? TileSize.samples(for: single, batch: job.dataset.batch) : 1
                _ = try computed.stagedSpecialization(inputShapes: inputs.shapes(samples: tile))
                let (placement, taken) = try job.placement(on: graph, own: own)
                try job.checkVersions(of: placement)
                return (
                    graph, computed, try computed.exported(over: file).packed(), inputs, tile, placement, taken,
                    ParameterEncodings.compute(graph: graph, placement: placement),
                    try training.map { try TrainingLoss(job, whole, over: file, evaluated: graph, inputs, source: $0) },
                    try prepared.equalization.map { outcome, before in
                        let before = try job.withoutLoss(before).forTiles(inputs, batch: job.dataset.batch)
                        return Equalization(outcome: outcome, artifact: try before.exported(over: file).packed())
                    }
                )
            }
        guard let first = graph.outputs.first else {
            throw ErrorInFile(GraphError(.missingOutput, expected: "an output", found: "none"), file: url.path)
        }
        output = first.name
    }

    /// The same model with other values of some constants.
    /// - Parameter encodings: of these constants, in place of what their values ask for.
    func replacing(
        _ constants: [(name: String, tensor: Tensor)], encodings: [String: TensorEncodings]
    ) throws -> ModelPreparation {
        var replaced = self
        for (name, tensor) in constants { replaced.graph.constants[name] = tensor }
        replaced.parameterEncodings.merge(encodings) { $1 }
        try replaced.computeAnew()
        return replaced
    }

    /// The same model after a change of its graph.
    func replacing(
        _ graph: Graph, placement: QuantizerPlacement, parameterEncodings: [String: TensorEncodings]
    ) throws -> ModelPreparation {
        var replaced = self
        replaced.graph = graph
        replaced.placement = placement
        replaced.parameterEncodings = parameterEncodings
        try replaced.computeAnew()
        return replaced
    }

    private mutating func computeAnew() throws {
        computed = try graph.forTiles(inputs, batch: tile)
        artifact = try computed.exported(over: original).packed()
    }

    /// Encodings of everything that is constant: parameters, and constants that have activation quantizers.
    func constantEncodings(_ activations: [String: TensorEncodings]) -> [String: TensorEncodings] {
        let constants = activations.filter { graph.constants[$0.key] != nil }
        return parameterEncodings.merging(constants) { parameter, _ in parameter }
    }

    /// Encodings of what changes with the sample.
    func valueEncodings(_ activations: [String: TensorEncodings]) -> [String: TensorEncodings] {
        activations.filter { graph.constants[$0.key] == nil }
    }
}
