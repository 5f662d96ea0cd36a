import Foundation
import Graph
import Nodes
import Operators
import Quantization
import Simulation
import Tensors
import Testing

/// Encodings of parameters and activations of a small graph: Conv with 2 channels, Clip with constant bounds, AveragePool.
@Suite struct EncodingsTests {
    static let weight = Tensor(shape: [2, 1, 1, 2], [Float(1), -2, 0.5, 0.25])

    static var graph: Graph {
        Graph(
            name: "g", inputs: [ValueInfo(name: "x", elementType: .float32, dimensions: nil)],
            outputs: [ValueInfo(name: "mean", elementType: .float32, dimensions: nil)],
            nodes: [
                Node(name: "c", opType: "Conv", inputs: ["x", "w", "b"], outputs: ["conv"]),
                Node(name: "r", opType: "Clip", inputs: ["conv", "low", "high"], outputs: ["clip"]),
                Node(name: "p", opType: "AveragePool", inputs: ["clip"], outputs: ["mean"]),
            ],
            constants: [
                "w": weight, "b": Tensor(shape: [2], [Float(1), 2]), "low": Tensor(scalar: Float(0)),
                "high": Tensor(scalar: Float(6)),
            ], opsetVersion: 17)
    }

    static func placement(_ config: String, _ scheme: Scheme = .tf) throws -> QuantizerPlacement {
        try QuantizerPlacement(
            graph: graph, config: try #require(SimulationConfig.named(config)), activationBitwidth: 8,
            parameterBitwidth: 4, activationScheme: scheme, parameterScheme: scheme)
    }

    static func observed(_ values: [Float]) -> TensorStatistics {
        values.withUnsafeBufferPointer { TensorStatistics(observing: $0) }
    }

    @Test func parametersPerTensor() throws {
        let found = ParameterEncodings.compute(graph: Self.graph, placement: try Self.placement("default"))
        #expect(found.keys.sorted() == ["w"])
        #expect(found["w"] == TensorEncodings(.fromRange(min: -2, max: 1, bitwidth: 4, symmetric: true)))
    }

    @Test func parametersPerChannel() throws {
        let placement = try Self.placement("default_per_channel")
        let found = ParameterEncodings.compute(graph: Self.graph, placement: placement)
        let expected = [(-2.0, 1.0), (0.25, 0.5)].map {
            Encoding.fromRange(min: $0.0, max: $0.1, bitwidth: 4, symmetric: true)
        }
        #expect(found["w"] == TensorEncodings(encodings: expected, axis: 0))

        let simulated = try Self.graph.simulatingParameters(found)
        let quantizer = try FakeQuantizer(#require(found["w"]), shape: Self.weight.shape)
        #expect(
            simulated.constants["w"] == quantizer.applied(to: Self.weight) && simulated.constants["w"] != Self.weight)
        #expect(simulated.constants["b"] == Self.graph.constants["b"])
    }

    /// Weights [output, input], [input, output] and of a convolution: files of version 1.0.0 and 2.0.0 give back what was written.
    @Test func blocksOfWeightsComeBackFromFiles() throws {
        var random = CounterRandom(key: 12)
        func weight(_ shape: Shape) -> Tensor {
            Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() })
        }
        func value(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "g", inputs: [value("x"), value("z")], outputs: [value("y"), value("c")],
            nodes: [
                Node(
                    name: "gemm", opType: "Gemm", inputs: ["x", "w1"], outputs: ["h"], attributes: ["transB": .int(1)]),
                Node(name: "product", opType: "MatMul", inputs: ["h", "w2"], outputs: ["y"]),
                Node(name: "conv", opType: "Conv", inputs: ["z", "w3"], outputs: ["c"]),
                Node(name: "transposed", opType: "ConvTranspose", inputs: ["c", "w4"], outputs: ["d"]),
            ],
            constants: [
                "w1": weight([4, 6]), "w2": weight([4, 3]), "w3": weight([2, 4, 3, 3]), "w4": weight([2, 5, 1, 1]),
            ], opsetVersion: 17)
        let settings = QuantizerSettings(bitwidth: 4, symmetric: true, scheme: .tf)
        func quantizer(_ name: String, _ axis: Int, _ blocks: Blocks) -> PlacedQuantizer {
            PlacedQuantizer(
                tensor: name, role: .parameter, settings: settings, channelAxis: axis, blocks: blocks, enabled: true,
                isConstant: true, constraints: nil, group: name)
        }
        let placement = QuantizerPlacement(
            activations: [],
            parameters: [
                quantizer("w1", 0, .init(axis: 1, size: 3)), quantizer("w2", 1, .init(axis: 0, size: 2)),
                quantizer("w3", 0, .init(axis: 1, size: 2)), quantizer("w4", 1, .init(axis: 0, size: 1)),
            ])
        let parameters = ParameterEncodings.compute(graph: graph, placement: placement)
        #expect(parameters["w2"]?.blocks == .init(axis: 0, size: 2) && parameters["w2"]?.blockGrids == [2, 3])
        let second = try #require(graph.constants["w2"]).elements(as: Float.self)
        for (index, encoding) in (parameters["w2"]?.encodings ?? []).enumerated() {
            let own = [0, 1].map { Double(second[(index / 3 * 2 + $0) * 3 + index % 3]) }
            #expect(encoding == settings.encoding(min: own.min() ?? 0, max: own.max() ?? 0))
        }
        let file = EncodingsFile(activations: ["x": .float16], parameters: parameters)
        for version in [EncodingsFile.Version.v1_0_0, .v2_0_0] {
            let read = try EncodingsFile.read(file.write(version: version), file: "f")
                .resolved(against: graph, file: "f")
            #expect(read.parameters == parameters, "\(version)")
            #expect(read.activations == (version == .v1_0_0 ? ["x": .float16] : [:]))
        }
        var wrong = try EncodingsFile.read(file.write(version: .v1_0_0), file: "f")
        wrong.parameters["w1"]?.blocks?.size = 4
        let error = #expect(throws: QuantizationError.self) { try wrong.resolved(against: graph, file: "f") }
        #expect(error?.code == .lengthMismatch && error?.key == "encodings.w1")
    }

    @Test func activationsShareQuantizersAndConstantsNeedNoSamples() throws {
        let placement = try Self.placement("default")
        #expect(placement.observedTensors == ["x", "clip", "mean"])
        let statistics = StatisticsSet([
            "x": Self.observed([-1, 1]), "clip": Self.observed([0, 5]), "mean": Self.observed([2, 7]),
        ])
        let found = ActivationEncodings.compute(graph: Self.graph, placement: placement, statistics: statistics)
        func asymmetric(_ min: Double, _ max: Double) -> TensorEncodings {
            TensorEncodings(.fromRange(min: min, max: max, bitwidth: 8, symmetric: false))
        }
        // The pool has the quantizer of its input, which sees the values of both.
        #expect(
            found == [
                "x": asymmetric(-1, 1), "clip": asymmetric(0, 7), "mean": asymmetric(0, 7), "low": asymmetric(0, 0),
                "high": asymmetric(0, 6),
            ])
    }

    @Test func whatWasNotObservedHasNoEncoding() throws {
        let found = ActivationEncodings.compute(
            graph: Self.graph, placement: try Self.placement("default"), statistics: StatisticsSet())
        #expect(found.keys.sorted() == ["high", "low"])
    }

    @Test func constraintsReplaceTheObservedEnds() throws {
        var config = try #require(SimulationConfig.named("default"))
        config.opTypes["Clip", default: .init()].constraints = EncodingConstraints(min: -1, max: 3)
        config.opTypes["AveragePool", default: .init()].constraints = EncodingConstraints(min: -1, max: 3)
        let placement = try QuantizerPlacement(
            graph: Self.graph, config: config, activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf,
            parameterScheme: .tf)
        let found = ActivationEncodings.compute(
            graph: Self.graph, placement: placement, statistics: StatisticsSet(["clip": Self.observed([0, 5])]))
        #expect(found["clip"] == TensorEncodings(.fromRange(min: -1, max: 3, bitwidth: 8, symmetric: false)))
    }

    @Test func axesOfAFileFollowFromTheGraph() throws {
        let placement = try Self.placement("default_per_channel")
        let parameters = ParameterEncodings.compute(graph: Self.graph, placement: placement)
        let written = EncodingsFile(activations: [:], parameters: parameters)
        let read = try EncodingsFile.read(written.write(version: .v1_0_0), file: "f")
        #expect(try read.resolved(against: Self.graph, file: "f") == written)

        var wrong = read
        wrong.parameters["w"]?.encodings.append(Encoding.fromRange(min: 0, max: 1, bitwidth: 4, symmetric: true))
        let count = #expect(throws: QuantizationError.self) { try wrong.resolved(against: Self.graph, file: "f") }
        #expect(count?.key == "param_encodings.w" && count?.expected == "2" && count?.found == "3")
        wrong = EncodingsFile(activations: ["x": try #require(parameters["w"])], parameters: [:])
        #expect(throws: QuantizationError.self) { try wrong.resolved(against: Self.graph, file: "f") }
    }

    /// No op of the file takes the scale of a normalization in elementary ops as its parameter.
    @Test func scalesOfElementaryNormalizationsHaveChannels() throws {
        var config = try #require(SimulationConfig.named("htp_v73"))
        config.opTypes["LayerNormalization", default: .init()].perChannelQuantization = true
        let graph = Self.normalization(axes: (-1, -1))
        let placement = try QuantizerPlacement(
            graph: graph, config: config, activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf,
            parameterScheme: .tf)
        let parameters = ParameterEncodings.compute(graph: graph, placement: placement)
        #expect(parameters["scale"]?.encodings.count == 2)
        let file = EncodingsFile(activations: [:], parameters: parameters)
        for version in EncodingsFile.Version.allCases {
            let read = try EncodingsFile.read(file.write(version: version), file: "f").resolved(
                against: graph, file: "f")
            #expect(read.parameters == parameters, "\(version)")
        }
    }

    @Test func meansOverDifferentAxesAreNoNormalization() throws {
        for (axes, isOne) in [((-1, -1), true), ((-1, 1), false)] {
            let placement = try QuantizerPlacement(
                graph: Self.normalization(axes: axes), config: try #require(SimulationConfig.named("htp_v73")),
                activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf, parameterScheme: .tf)
            let mean = try #require(placement.activations.first { $0.tensor == "mean" })
            #expect(mean.enabled != isOne, "axes \(axes)")
        }
    }

    /// x / sqrt(mean(x * x) + epsilon) * scale of x - mean(x), the means over the given axes.
    static func normalization(axes: (Int, Int)) -> Graph {
        func node(_ opType: String, _ inputs: [String], _ output: String, axis: Int? = nil) -> Node {
            Node(
                name: output, opType: opType, inputs: inputs, outputs: [output],
                attributes: axis.map { ["axes": .ints([$0])] } ?? [:])
        }
        return Graph(
            name: "g", inputs: [ValueInfo(name: "input", elementType: .float32, dimensions: nil)],
            outputs: [ValueInfo(name: "output", elementType: .float32, dimensions: nil)],
            nodes: [
                node("ReduceMean", ["input"], "mean", axis: axes.0), node("Sub", ["input", "mean"], "centered"),
                node("Mul", ["centered", "centered"], "square"),
                node("ReduceMean", ["square"], "variance", axis: axes.1),
                node("Add", ["variance", "epsilon"], "sum"), node("Sqrt", ["sum"], "root"),
                node("Div", ["centered", "root"], "normalized"), node("Mul", ["normalized", "scale"], "output"),
            ],
            constants: [
                "epsilon": Tensor(scalar: Float(1e-5)), "scale": Tensor(shape: [2], [Float(1), 2]),
            ], opsetVersion: 17)
    }

    /// Version 2.0.0 says the axes but not what is a parameter; with the graph nothing is lost on the way there and back.
    @Test(arguments: [EncodingsFile.Version.v0_6_1, .v1_0_0]) func filesOfOtherVersionsSayTheSame(
        version: EncodingsFile.Version
    ) throws {
        let parameters = ParameterEncodings.compute(
            graph: Self.graph, placement: try Self.placement("default_per_channel"))
        let first = EncodingsFile(
            activations: [
                "x": TensorEncodings(.fromRange(min: -1, max: 2, bitwidth: 16, symmetric: false)),
                "clip": TensorEncodings(.fromRange(min: 0, max: 2, bitwidth: 8, symmetric: true, unsigned: true)),
                "mean": TensorEncodings(.fromRange(min: -3, max: 2, bitwidth: 8, symmetric: true, strict: true)),
                "high": TensorEncodings(.fromRange(min: 0, max: 6, bitwidth: 8, symmetric: false)),
            ], parameters: parameters)
        func again(_ file: EncodingsFile, _ version: EncodingsFile.Version) throws -> EncodingsFile {
            try EncodingsFile.read(file.write(version: version), file: "f").resolved(against: Self.graph, file: "f")
        }
        #expect(try again(first, .v2_0_0) == first)
        #expect(try again(again(first, .v2_0_0), version) == first)
        #expect(try again(again(first, version), .v2_0_0) == first)
    }

    @Test func axesOfVersion2AreChecked() throws {
        func parameters(_ entry: String) throws -> [String: TensorEncodings] {
            let text = #"{"version": "2.0.0", "encodings": [\#(entry)]}"#
            return try EncodingsFile.read(Data(text.utf8), file: "f").resolved(against: Self.graph, file: "f")
                .parameters
        }
        let entry = #"{"name": "w", "output_dtype": "int8", "axis": -4, "y_scale": [1, 2]}"#
        #expect(try parameters(entry)["w"]?.axis == 0)
        // One encoding along an axis that has one element.
        let single = #"{"name": "w", "output_dtype": "int8", "axis": 1, "y_scale": [1]}"#
        #expect(try parameters(single)["w"]?.axis == 1)
        for (place, wrong) in [("-4", "-5"), ("-4", "2"), ("-4", "4"), ("[1, 2]", "[1, 2, 3]"), (#""w""#, #""x""#)] {
            #expect(throws: QuantizationError.self, "\(wrong)") {
                try parameters(entry.replacingOccurrences(of: place, with: wrong))
            }
        }
    }
}
