import Execution
import Foundation
import Graph
import JobFile
import Nodes
import ONNX
import Operators
import Passes
import Quantization
import Simulation
import Support
import Tensors

/// `quantsim infer`: a model's outputs for arrays from a file, in FP32 or fake-quantized.
public enum Inference {
    /// Computes all graph outputs and writes them to `options.output`, named by tensor.
    public static func run(_ options: InferenceOptions) throws {
        try checkOutput(options)
        if let best = ComputeLibrary.supportedInstructionSets.last { try ComputeLibrary.pin(best) }
        let arrays = try attributingErrors(to: options.input.path) { try NPZ.read(options.input) }
        let inputs = Dictionary(arrays.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        let graph = try attributingErrors(to: options.model.path) {
            let graph = try Graph(importing: ONNXFile.read(options.model)).foldingConstants()
            try graph.checkConstants()
            return graph
        }
        let encodings = try options.encodings.map { url in
            try EncodingsFile.read(readFile(url), file: url.path).resolved(against: graph, file: url.path)
        }
        let outputs = try attributingErrors(to: options.model.path) {
            try compute(graph, inputs, encodings, encodingsFile: options.encodings?.path)
        }
        try NPZ.write(outputs, to: options.output)
    }

    /// Refuses an output that could not be written in the end, or that what is read would be lost to.
    private static func checkOutput(_ options: InferenceOptions) throws {
        let target = try AtomicFile.target(of: options.output).resolvingSymlinksInPath()
        for read in [options.model, options.input, options.encodings].compactMap(\.self)
        where read.resolvingSymlinksInPath() == target {
            throw FileError(
                .create, path: options.output.path, systemError: EEXIST, refusal: "it is read by this command")
        }
    }

    /// - Parameters:
    ///   - inputs: by graph input; numbers are converted to float32 where the graph takes that.
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
        let simulated = try original.simulatingBiases(parameters.merging(activations) { $1 })
            .simulatingParameters(parameters)

        var fed: [String: Tensor] = [:]
        for input in simulated.inputs {
            guard let array = inputs[input.name] else {
                throw ExecutionError(
                    .inputMismatch, tensor: input.name, expected: "an array of this name",
                    found: inputs.keys.sorted().joined(separator: ", "))
            }
            fed[input.name] = try converted(array, for: input)
        }
        if let empty = simulated.inputs.first, fed.values.allSatisfy({ $0.count == 0 }) {
            throw ExecutionError(
                .inputMismatch, tensor: empty.name, expected: "at least one element",
                found: fed[empty.name].map { "\($0.shape)" } ?? "none")
        }
        let quantizers = try activations.mapValues { try FakeQuantizer($0) }
        if let tiles = try tiles(of: simulated, fed) { return try compute(tiles, fed, quantizers) }
        let plan = try ModelLane(SharedModel(simulated), taps: Set(activations.keys))
            .run(whole: fed, tap: { quantizers.apply(to: $0) })
        return simulated.outputs.map { ($0.name, Tensor(plan.typedOutput($0.name))) }
    }

    /// An array as an input takes it: any number as float32, an integer as one of a type that holds it.
    private static func converted(_ array: Tensor, for input: ValueInfo) throws -> Tensor {
        if input.elementType == .float32 { return Tensor(shape: array.shape) { array.copyAsFloats(into: $0) } }
        if input.elementType == array.elementType { return array }
        guard let converted = array.widened(to: input.elementType) else {
            throw ExecutionError(
                .inputMismatch, tensor: input.name, expected: "an array of \(input.elementType.rawValue)",
                found: array.elementType.rawValue)
        }
        return converted
    }

    /// How arrays are cut along their first axis, which is of samples.
    private struct Tiles {
        let graph: Graph
        /// Samples in all, and per forward pass.
        let count, tile: Int
        /// Extents of one sample of each output.
        let outputs: [(name: String, dimensions: [Int])]
    }

    /// Nil where the first axis is not one of samples that are kept apart, so that the arrays are computed whole.
    private static func tiles(of graph: Graph, _ inputs: [String: Tensor]) throws -> Tiles? {
        // Values of other types than float32 are not put together from tiles.
        guard graph.inputs.allSatisfy({ $0.elementType == .float32 }) else { return nil }
        guard let count = inputs.values.first?.shape.dimensions.first, count > 0,
            inputs.values.allSatisfy({ $0.shape.dimensions.first == count })
        else { return nil }
        let samples = inputs.mapValues { Shape(Array($0.shape.dimensions.dropFirst())) }
        let open = graph.openingBatch(samples: samples)
        if let open {
            guard let positions = try? open.samplePositions(samples: samples, batch: count),
                graph.outputs.allSatisfy({ positions[$0.name]?.isRows == true })
            else { return nil }
        } else if graph.fixedBatch != 1 || count == 1 {
            return nil
        }
        // A model for one sample and no other computes one after the other.
        let single = try (open ?? graph).specialized(inputShapes: samples.mapValues { Shape([1] + $0.dimensions) })
        let outputs = graph.outputs.compactMap { output in
            single.types[output.name].map { (name: output.name, dimensions: Array($0.shape.dimensions.dropFirst())) }
        }
        guard
            graph.outputs.allSatisfy({
                single.types[$0.name]?.shape.dimensions.first == 1 && single.types[$0.name]?.elementType == .float32
            })
        else { return nil }
        return Tiles(
            graph: open ?? graph, count: count, tile: open == nil ? 1 : TileSize.samples(for: single, batch: count),
            outputs: outputs)
    }

    private static func compute(
        _ tiles: Tiles, _ inputs: [String: Tensor], _ quantizers: [String: FakeQuantizer]
    ) throws -> [(name: String, tensor: Tensor)] {
        let lane = ModelLane(SharedModel(tiles.graph), taps: Set(quantizers.keys))
        var parts: [String: [Float]] = [:]
        let runs = stride(from: 0, to: tiles.count, by: tiles.tile).map { $0..<min($0 + tiles.tile, tiles.count) }
        try lane.run(
            SampleGroup(count: tiles.count, inputs: inputs), tiles: runs, tap: { quantizers.apply(to: $0) },
            outputs: { _, plan in
                for output in tiles.outputs { parts[output.name, default: []] += plan.output(output.name) }
            })
        return tiles.outputs.compactMap { name, dimensions in
            parts[name].map { (name, Tensor(shape: Shape([tiles.count] + dimensions), $0)) }
        }
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
