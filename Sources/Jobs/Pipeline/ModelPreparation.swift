import Datasets
import Execution
import Foundation
import Graph
import ONNX
import PostTraining
import Quantization
import Simulation
import Tensors

/// A job's model made ready for calibration: imported, batch norms folded, quantizers placed, parameters encoded. All of it
/// depends on the job file, the model and the first sample alone.
struct ModelPreparation: Sendable {
    /// The file as the user gave it; what is exported keeps its metadata.
    let original: ONNXFile
    /// With folded weights, as it is exported.
    private(set) var graph: Graph
    /// What workers compute: the graph for any number of samples where that is possible, as a file with its data inside.
    private(set) var artifact: Data
    let inputs: [PassSpecification.Input]
    /// The graph output that is evaluated: the first.
    let output: String
    /// Samples per forward pass.
    let tile: Int
    private(set) var placement: QuantizerPlacement
    /// Of the encodings files that the job names.
    let encodingsTaken: [EncodingsTaken]
    private(set) var parameterEncodings: [String: TensorEncodings]
    /// Of the job's training, if it trains.
    let loss: TrainingLoss?

    /// - Parameters:
    ///   - source: where calibration samples come from; the first one tells the inputs' extents.
    ///   - training: where training samples come from, if the job trains.
    init(_ job: JobFile, source: DatasetSource, training: DatasetSource?) throws {
        let url = job.url(for: job.model)
        let file = try ONNXFile.read(url)
        original = file
        (graph, artifact, inputs, tile, placement, encodingsTaken, parameterEncodings, loss) = try attributingErrors(
            to: url.path
        ) {
            let whole = try Self.wholeGraph(job, file)
            let graph = try job.withoutLoss(whole)
            try KeptBatchNorms.check(graph, job)
            let inputs = try Self.inputs(of: graph, job, source)
            let computed = try Self.forTiles(graph, inputs)
            let single = try computed.specialized(inputShapes: Self.shapes(inputs, samples: 1))
            try ExecutionSupport.check(single)
            let tile = computed.fixedBatch ?? TileSize.samples(for: single, batch: job.dataset.batch)
            _ = try computed.specialized(inputShapes: Self.shapes(inputs, samples: tile))
            let (placement, taken) = try Self.placement(on: graph, job)
            try Self.checkVersions(of: placement, job)
            return (
                graph, try computed.exported(over: file).encoded(), inputs, tile, placement, taken,
                ParameterEncodings.compute(graph: graph, placement: placement),
                try training.map { try TrainingLoss(job, whole, over: file, evaluated: graph, inputs, source: $0) }
            )
        }
        guard let first = graph.outputs.first else {
            throw ErrorInFile(GraphError(.missingOutput, expected: "an output", found: "none"), file: url.path)
        }
        output = first.name
    }

    /// - Throws: `JobError(.conflictingKeys)` where the job asks for a file that has no room for what it asks for.
    private static func checkVersions(of placement: QuantizerPlacement, _ job: JobFile) throws {
        guard job.export.encodings.contains(.v0),
            let parameter = placement.parameters.first(where: { $0.enabled && $0.blocks != nil })
        else { return }
        throw job.error(
            .conflictingKeys, key: "export.encodings", expected: "1.0.0 or 2.0.0, which have blocks",
            found: "0.6.1 and blocks of \(parameter.tensor)")
    }

    /// The same model with other values of some constants.
    /// - Parameter encodings: of these constants, in place of what their values ask for.
    func replacing(
        _ constants: [(name: String, tensor: Tensor)], encodings: [String: TensorEncodings]
    ) throws -> ModelPreparation {
        var replaced = self
        for (name, tensor) in constants { replaced.graph.constants[name] = tensor }
        replaced.parameterEncodings.merge(encodings) { $1 }
        replaced.artifact = try Self.forTiles(replaced.graph, inputs).exported(over: original).encoded()
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
        replaced.artifact = try Self.forTiles(graph, inputs).exported(over: original).encoded()
        return replaced
    }

    /// The graph of a model as the job wants it, with the nodes of its loss.
    static func wholeGraph(_ job: JobFile, _ file: ONNXFile) throws -> Graph {
        // Constants first: batch norms fold into weights that some exporters compute from other constants.
        let graph = try Graph(importing: file).foldingConstants()
        return job.postTraining.contains(.foldBatchNorms) ? BatchNormFolding.fold(graph).graph : graph
    }

    /// Where the job wants quantizers, and what it took of encodings files.
    static func placement(
        on graph: Graph, _ job: JobFile
    ) throws -> (placement: QuantizerPlacement, taken: [EncodingsTaken]) {
        let config = try job.quantization.config.config { job.url(for: $0) }
        func place(_ graph: Graph) throws -> QuantizerPlacement {
            let schemes = job.quantization.schemes
            return try QuantizerPlacement(
                graph: graph, config: config, activationBitwidth: job.quantization.activationBitwidth,
                parameterBitwidth: job.quantization.parameterBitwidth, activationScheme: schemes.activations,
                parameterScheme: schemes.parameters)
        }
        return try job.locatingRules {
            func refine(_ placement: QuantizerPlacement, _ graph: Graph) throws -> QuantizerPlacement {
                try placement.overridden(by: job.quantization.overrides ?? [], in: graph)
            }
            if job.training?.batchNorms == .kept {
                return (try KeptBatchNorms.placement(on: graph, place, refine: refine), [])
            }
            var placement = try refine(place(graph), graph)
            var taken: [EncodingsTaken] = []
            for (index, source) in try job.encodingsSources().enumerated() {
                let outcome: EncodingsTaken
                (placement, outcome) = try placement.taking(source, at: "encodings[\(index)]", in: graph)
                taken.append(outcome)
            }
            return (placement, taken)
        }
    }

    /// Input shapes for a number of samples.
    static func shapes(_ inputs: [PassSpecification.Input], samples: Int) -> [String: Shape] {
        Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, Shape([samples] + $0.dimensions)) })
    }

    /// The graph as it is computed in tiles: for any number of samples, or for one.
    /// - Throws: `GraphError(.inputShapeMismatch)` for a graph that takes a fixed number of samples and no other: the last
    ///   samples of a shard would not fill a tile.
    /// - Parameter loss: an output that has one element for any number of samples.
    static func forTiles(_ graph: Graph, _ inputs: [PassSpecification.Input], loss: String? = nil) throws -> Graph {
        guard let fixed = graph.fixedBatch else { return graph }
        let samples = Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, Shape($0.dimensions)) })
        if let open = graph.openingBatch(samples: samples, loss: loss) { return open }
        guard fixed == 1 else {
            throw GraphError(
                .inputShapeMismatch, tensor: graph.inputs.first?.name, expected: "a batch of 1 or of any size",
                found: "\(fixed)")
        }
        return graph
    }

    private static func inputs(
        of graph: Graph, _ job: JobFile, _ source: DatasetSource
    ) throws -> [PassSpecification.Input] {
        guard let image = job.dataset.image else {
            return try arrayInputs(of: graph, job, source)
        }
        guard graph.inputs.count == 1, let input = graph.inputs.first else {
            throw GraphError(
                .inputShapeMismatch, expected: "one input for image samples",
                found: graph.inputs.map(\.name).joined(separator: ", "))
        }
        let preprocessing = try ImagePreprocessing(
            height: image.height, width: image.width, mean: image.mean.map(Float.init), std: image.std.map(Float.init))
        return [
            PassSpecification.Input(
                name: input.name, dimensions: [3, image.height, image.width], preprocessing: preprocessing)
        ]
    }

    private static func arrayInputs(
        of graph: Graph, _ job: JobFile, _ source: DatasetSource
    ) throws -> [PassSpecification.Input] {
        guard let sample = try source.firstSample(skippingBad: job.dataset.onBadSample == .skip) else {
            throw job.error(
                .outOfRange, key: "dataset.calibration", expected: "at least one sample that can be read",
                found: "none")
        }
        guard case .arrays(let arrays) = sample.content else {
            throw job.error(.missingKey, key: "dataset.image", expected: "size, mean and std for image samples")
        }
        return try graph.inputs.map { input in
            guard let array = arrays[input.name] else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: arrays.keys.sorted().joined(separator: ", "))
            }
            return PassSpecification.Input(name: input.name, dimensions: array.shape.dimensions, preprocessing: nil)
        }
    }
}
