import App
import Foundation
import Graph
import ONNX
import Passes
import Quantization
import Simulation
import Tensors
import TestSupport
import Testing

/// A network of Tests/Golden/Traps, with what ONNX Runtime makes of its inputs.
struct SmallNetwork {
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted()
    }()
    private static let folder = goldenFolder("Traps")

    let file: ONNXFile
    let inputs: [String: Tensor]
    let expected: [String: Tensor]

    init(named name: String) throws {
        file = try ONNXFile.read(Self.folder.appendingPathComponent("\(name).onnx"))
        let arrays = try NPZ.read(Self.folder.appendingPathComponent("\(name).npz"))
        func values(_ prefix: String) -> [String: Tensor] {
            Dictionary(
                uniqueKeysWithValues: arrays.filter { $0.name.hasPrefix(prefix) }
                    .map { (String($0.name.dropFirst(prefix.count)), $0.tensor) })
        }
        (inputs, expected) = (values("in."), values("out."))
    }

    /// As it is in the file, constants folded.
    func graph() throws -> Graph { try Graph(importing: file).foldingConstants() }

    func outputs(of graph: Graph, _ encodings: EncodingsFile? = nil) throws -> [String: Tensor] {
        Dictionary(uniqueKeysWithValues: try Inference.compute(graph, inputs, encodings).map { ($0.name, $0.tensor) })
    }

    /// The graph with its quantizers placed and calibrated with the inputs, all of 8 bits.
    func calibrated(
        _ graph: Graph, config: String, own: [String: TensorEncodings] = [:]
    ) throws -> CalibratedNetwork {
        let placement = try QuantizerPlacement(
            graph: graph, config: #require(SimulationConfig.named(config)), activationBitwidth: 8,
            parameterBitwidth: 8, activationScheme: .tf, parameterScheme: .tf
        ).taking(own: own, in: graph).placement
        let parameters = ParameterEncodings.compute(graph: graph, placement: placement)
        let observers = Dictionary(
            uniqueKeysWithValues: placement.observedTensors.map { ($0, Observer()) })
        let lane = ModelLane(SharedModel(try graph.simulatingParameters(parameters)), taps: placement.observedTensors)
        _ = try lane.run(whole: inputs) { tap in
            guard let start = tap.elements.baseAddress else { return }
            observers[tap.name]?.observe(start, count: tap.elements.count, layoutZeros: tap.layoutZeros)
        }
        return CalibratedNetwork(
            graph: graph, placement: placement,
            activations: ActivationEncodings.compute(
                graph: graph, placement: placement,
                statistics: StatisticsSet(observers.mapValues { $0.statistics() })),
            parameters: parameters)
    }
}

/// A graph with its encodings.
struct CalibratedNetwork {
    let graph: Graph
    let placement: QuantizerPlacement
    let activations, parameters: [String: TensorEncodings]

    var encodings: EncodingsFile { EncodingsFile(activations: activations, parameters: parameters) }

    /// As a file with quantize and dequantize nodes.
    func exported(over file: ONNXFile) throws -> ONNXFile {
        let graph = try QDQExport.graph(graph, activations: activations, parameters: parameters)
        try graph.validate()
        return try ONNXFile(decoding: graph.exported(over: file).encoded())
    }
}

/// The ratio of the power of a signal to that of what differs from it, in decibels; infinite where nothing differs.
func signalToNoise(_ signal: [String: Tensor], _ other: [String: Tensor]) throws -> Double {
    var (power, noise) = (0.0, 0.0)
    #expect(Set(signal.keys) == Set(other.keys))
    for (name, tensor) in signal {
        let found = try #require(other[name])
        try #require(found.shape == tensor.shape)
        for (a, b) in zip(tensor.elements(as: Float.self), found.elements(as: Float.self)) where a != b {
            noise += (Double(a) - Double(b)) * (Double(a) - Double(b))
        }
        for a in tensor.elements(as: Float.self) { power += Double(a) * Double(a) }
    }
    return noise == 0 ? .infinity : 10 * log10(power / noise)
}
