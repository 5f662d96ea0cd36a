import Execution
import Foundation
import Graph
import ONNX
import Quantization
import Simulation
import Tensors

/// `quantsim infer`: a model's outputs for arrays from a file, in FP32 or fake-quantized.
public enum Inference {
    /// Computes all graph outputs and writes them to `options.output`, named by tensor.
    public static func run(_ options: InferenceOptions) throws {
        if let best = ComputeLibrary.supportedInstructionSets.last { try ComputeLibrary.pin(best) }
        let arrays = try attributingErrors(to: options.input.path) { try NPZ.read(options.input) }
        let inputs = Dictionary(arrays.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        let graph = try attributingErrors(to: options.model.path) {
            try Graph(importing: ONNXFile.read(options.model)).foldingConstants()
        }
        let encodings = try options.encodings.map { url in
            try EncodingsFile.read(readFile(url), file: url.path).resolvingAxes(in: graph, file: url.path)
        }
        let outputs = try attributingErrors(to: options.model.path) {
            try compute(graph, inputs, encodings, encodingsFile: options.encodings?.path)
        }
        try NPZ.write(outputs, to: options.output)
    }

    /// - Parameters:
    ///   - inputs: by graph input; converted to float32.
    ///   - encodingsFile: what errors call the encodings.
    package static func compute(
        _ original: Graph, _ inputs: [String: Tensor], _ encodings: EncodingsFile?,
        encodingsFile: String? = nil
    ) throws -> [(name: String, tensor: Tensor)] {
        let constants = Set(original.constants.keys)
        let constantActivations = (encodings?.activations ?? [:]).filter { constants.contains($0.key) }
        let parameters = (encodings?.parameters ?? [:]).merging(constantActivations) { own, _ in own }
        let activations = (encodings?.activations ?? [:]).filter { !constants.contains($0.key) }
        try checkNames(
            in: original, parameters: parameters, activations: activations, encodingsFile: encodingsFile)
        let graph = try original.simulatingParameters(parameters)

        var fed: [String: Tensor] = [:]
        for input in graph.inputs {
            guard let array = inputs[input.name] else {
                throw ExecutionError(
                    .inputMismatch, tensor: input.name, expected: "an array of this name",
                    found: inputs.keys.sorted().joined(separator: ", "))
            }
            guard array.count > 0 else {
                throw ExecutionError(
                    .inputMismatch, tensor: input.name, expected: "at least one element", found: "\(array.shape)")
            }
            fed[input.name] = Tensor(shape: array.shape) { array.copyAsFloats(into: $0) }
        }
        let (count, tile) = try tiling(graph, fed)
        let model = SharedModel(graph)
        let lane = ModelLane(model, taps: Set(activations.keys))
        let quantizers = try activations.mapValues { try FakeQuantizer($0) }
        var parts: [String: [Float]] = [:]
        try lane.run(
            fed, count: count, tile: tile, tap: { quantizers.apply(to: $0) },
            outputs: { _, plan in
                for output in graph.outputs { parts[output.name, default: []] += plan.output(output.name) }
            })
        // A tile's shapes hold for the whole but for the number of samples.
        let tileShapes = fed.mapValues { tile < count ? Shape([tile] + $0.shape.dimensions.dropFirst()) : $0.shape }
        let types = try model.specialized(tileShapes).types
        return graph.outputs.compactMap { output in
            guard let shape = types[output.name]?.shape, let elements = parts[output.name] else { return nil }
            return (
                output.name,
                Tensor(shape: tile < count ? Shape([count] + shape.dimensions.dropFirst()) : shape, elements)
            )
        }
    }

    /// How the first axis may be cut: in tiles where all inputs and outputs have the samples there, else not at all.
    private static func tiling(_ graph: Graph, _ inputs: [String: Tensor]) throws -> (count: Int, tile: Int) {
        let whole = inputs.mapValues(\.shape)
        let counts = Set(whole.values.map { $0.dimensions.first ?? 1 })
        guard counts.count == 1, let count = counts.first else { return (1, 1) }
        func withSamples(_ samples: Int) -> [String: Shape] {
            whole.mapValues { Shape([samples] + $0.dimensions.dropFirst()) }
        }
        guard let single = try? graph.specialized(inputShapes: withSamples(1)),
            let double = try? graph.specialized(inputShapes: withSamples(2)),
            graph.outputs.allSatisfy({
                single.types[$0.name]?.shape.dimensions.first == 1 && double.types[$0.name]?.shape.dimensions.first == 2
            })
        else {
            // An axis that is not of samples, or a fixed batch: all at once, or one by one where only that fits.
            let fitsWhole = (try? graph.specialized(inputShapes: whole)) != nil
            let fitsSingle = (try? graph.specialized(inputShapes: withSamples(1))) != nil
            return (count, fitsSingle && !fitsWhole ? 1 : count)
        }
        return (count, TileSize.samples(for: single, batch: count))
    }

    private static func checkNames(
        in graph: Graph, parameters: [String: TensorEncodings], activations: [String: TensorEncodings],
        encodingsFile: String?
    ) throws {
        let values = Set(graph.inputs.map(\.name) + graph.nodes.flatMap(\.outputs))
        let unknown =
            parameters.keys.filter { graph.constants[$0] == nil } + activations.keys.filter { !values.contains($0) }
        guard unknown.isEmpty else {
            throw QuantizationError(
                .unknownKey, file: encodingsFile, key: "tensor \(unknown.sorted().joined(separator: ", "))",
                expected: "names of the model's tensors")
        }
    }
}
