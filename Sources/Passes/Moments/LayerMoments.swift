import Cluster
import ClusterProtocol
import Datasets
import Foundation
import Graph
import Nodes
import PostTraining
import Quantization
import Support
import Tensors
import Training

/// Finds the moments of a layer's inputs: as the quantized model has them in front of it, beside the outputs that the FP32 model
/// has behind it. What lies behind the layer is not computed.
package struct LayerMoments: SampleWorkload {
    package typealias Result = LayerMomentsResult
    /// As in descriptors.
    package static let name = "layer moments"

    /// The quantized model. Its parameters are rounded before the samples run.
    package var pass: PassSpecification
    /// Encodings of what changes with the sample. Those of constants are the pass's parameters.
    package var activations: [String: TensorEncodings]
    /// Digest of the artifact that holds the FP32 model.
    package var reference: Data
    /// Name of the layer's node in both models.
    package var layer: String
    /// What the moments are in.
    package var units: MomentUnits

    /// - Parameters:
    ///   - evaluation: of the quantized model.
    ///   - reference: digest of the artifact that holds the FP32 model.
    ///   - layer: name of its node in both.
    package init(_ evaluation: Evaluation, with reference: Data, of layer: String, in units: MomentUnits) {
        (pass, activations) = (evaluation.pass, evaluation.activations)
        self.reference = reference
        self.layer = layer
        self.units = units
    }

    /// That of the FP32 model, too.
    package var models: [Data] { [pass.model, reference] }

    /// Both models as far as they are needed.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        let graph = try Evaluation(pass, activations: activations).graph(worker)
        guard let node = graph.nodes.first(where: { $0.name == layer }), let layer = ProductLayer(node, in: graph)
        else {
            throw ShardFailure(permanent: true, code: "descriptor", fields: ["found": layer])
        }
        // Samples reach the layer as they come where nothing stands before it.
        let inputs = graph.isInput(layer.input) ? nil : graph.computing(layer.input)
        return MomentsExecutor(
            task: self, layer: layer, inputs: inputs.map { SharedModel($0) },
            outputs: SharedModel(try worker.graph(reference).computing(layer.output)),
            tiles: SampleTiles(graph, pass))
    }
}

private struct MomentsExecutor: ShardExecutor {
    let task: LayerMoments
    let layer: ProductLayer
    let inputs: SharedModel?
    let outputs: SharedModel
    let tiles: SampleTiles

    func prepare(shard: Int, payload: Data) throws -> SampleBatches {
        try SampleDecoding(task.pass).batches(of: ShardPayload(decoding: payload).samples)
    }

    func makeLane(keeping memory: LaneMemory) throws -> MomentsLane { try MomentsLane(self) }
}

/// Finds the moments of one shard at a time. Belongs to one thread.
private final class MomentsLane: ShardLane {
    private let layer: ProductLayer
    private let inputs: ModelLane?
    private let outputs: ModelLane
    private let tiles: SampleTiles
    private let quantizers: [String: FakeQuantizer]
    private var rows: LayerRows

    init(_ executor: MomentsExecutor) throws {
        layer = executor.layer
        let made = Set(executor.inputs?.graph.nodes.flatMap(\.outputs) ?? []).union(
            executor.inputs?.graph.inputs.map(\.name) ?? [])
        let activations = executor.task.activations
        quantizers = try activations.filter { made.contains($0.key) || $0.key == executor.layer.input }
            .mapValues { try FakeQuantizer($0) }
        inputs = executor.inputs.map { ModelLane($0, taps: made.intersection(activations.keys)) }
        outputs = ModelLane(executor.outputs, taps: [])
        tiles = executor.tiles
        rows = LayerRows(layer, units: executor.task.units)
    }

    func compute(_ samples: SampleBatches) throws -> Data {
        var result = LayerMomentsResult()
        var total = [Double](repeating: 0, count: MomentsLayout(layer).count)
        try samples.forEach { batch in
            result.samples += batch.count
            result.skipped += batch.skipped
            result.badNames.merge(batch.badNames)
            for group in batch.groups { try add(group, to: &total) }
        }
        do {
            try result.set(total)
        } catch let error as TrainingError {
            throw GraphError(
                .notFinite, tensor: layer.input, expected: "moments of a layer's inputs that are finite and below 2^30",
                found: error.found ?? "none")
        }
        return result.encoded()
    }

    private func add(_ group: SampleGroup, to total: inout [Double]) throws {
        for tile in try tiles.tiles(of: group) {
            var expected: [Float] = []
            try outputs.run(group, tiles: [tile], outputs: { _, plan in expected = plan.floats(of: layer.output) })
            try expected.withUnsafeBufferPointer { expected in
                guard let inputs else {
                    var (x, shape) = group.floats(of: layer.input, tile)
                    let quantizer = quantizers[layer.input]
                    x.withUnsafeMutableBufferPointer { x in
                        if let start = x.baseAddress { quantizer?.apply(inPlace: start, count: x.count) }
                        rows.add(UnsafeBufferPointer(x), shape, expected, samples: tile.count, to: &total)
                    }
                    return
                }
                try inputs.run(
                    group, tiles: [tile], tap: { [quantizers] in quantizers.apply(to: $0) },
                    outputs: { _, plan in
                        let shape = plan.typedOutput(layer.input).type.shape
                        plan.withFloats(of: layer.input) {
                            rows.add($0, shape, expected, samples: tile.count, to: &total)
                        }
                    })
            }
        }
    }
}

extension SampleGroup {
    /// The elements of an input for some samples, and its shape for these.
    fileprivate func floats(of name: String, _ samples: Range<Int>) -> (elements: [Float], shape: Shape) {
        guard let tensor = inputs[name] else { return ([], []) }
        let size = tensor.shape.dimensions.dropFirst().reduce(1, *)
        let elements = tensor.elements(as: Float.self)[samples.lowerBound * size..<samples.upperBound * size]
        return (Array(elements), shapes(samples: samples.count)[name] ?? [])
    }
}
