import Graph
import Nodes
import Operators
import Quantization
import Simulation
import Tensors
import Testing

/// What the user wants of quantizers, against what config and target say.
@Suite struct OverridesTests {
    /// Two convolutions with ReLU, of which htp_v73 makes one op each, a pool that preserves the grid, and a Gemm.
    static let graph = GoldenGraph(
        inputs: ["x"], outputs: ["y"],
        nodes: [
            ("Conv", ["x", "a/w", "a/b"], ["a/conv"]), ("Relu", ["a/conv"], ["a/relu"]),
            ("MaxPool", ["a/relu"], ["pool"]), ("Conv", ["pool", "b/w"], ["b/conv"]), ("Relu", ["b/conv"], ["b/relu"]),
            ("Flatten", ["b/relu"], ["flat"]), ("Gemm", ["flat", "c/w"], ["y"]),
        ], constants: ["a/w": [8, 8, 3, 3], "a/b": [8], "b/w": [8, 8, 3, 3], "c/w": [8, 8]]
    ).graph(named: "g")

    static func place(
        _ overrides: [PlacementOverride], config: String = "htp_v73", on graph: Graph = graph
    ) throws -> QuantizerPlacement {
        try QuantizerPlacement(
            graph: graph, config: try #require(SimulationConfig.named(config)), activationBitwidth: 8,
            parameterBitwidth: 8, activationScheme: .tf, parameterScheme: .tf
        ).overridden(by: overrides, in: graph)
    }

    static func settings(_ change: (inout QuantizerOverride) -> Void) -> QuantizerOverride {
        var settings = QuantizerOverride()
        change(&settings)
        return settings
    }

    static func bits(_ bitwidth: Int) -> QuantizerOverride { settings { $0.bitwidth = bitwidth } }

    /// Tensors whose quantizers differ from those without overrides.
    private func changed(_ overrides: [PlacementOverride], config: String = "htp_v73") throws -> [String:
        PlacedQuantizer]
    {
        let before = try Self.place([], config: config)
        let after = try Self.place(overrides, config: config)
        let pairs = zip(before.activations + before.parameters, after.activations + after.parameters)
        return Dictionary(uniqueKeysWithValues: pairs.filter { $0 != $1 }.map { ($1.tensor, $1) })
    }

    @Test(arguments: [
        (["a/w"], ["a/w"]), (["*/w"], ["a/w", "b/w", "c/w"]), (["?/relu", "c/*"], ["a/relu", "b/relu", "c/w"]),
        (["[ab]/w"], ["a/w", "b/w"]), (["x", "x"], ["x"]),
    ])
    func patternsSelectTensors(_ patterns: [String], _ expected: [String]) throws {
        let found = try changed([.tensors(patterns, Self.bits(4))])
        // A quantizer that is off is selected too, with no other effect.
        #expect(found.values.filter(\.enabled).map(\.tensor).sorted() == expected)
        #expect(found.values.allSatisfy { $0.settings.bitwidth == 4 })
    }

    @Test func opsAndNodesSelectWhatIsAroundThem() throws {
        let weights = try changed([.ops(["Conv"], .init(parameters: Self.bits(4)))])
        #expect(weights.keys.sorted() == ["a/b", "a/w", "b/w"])
        // A bias that is off stays off.
        #expect(weights["a/b"]?.enabled == false)
        let outputs = try changed([.ops(["Relu", "Gemm"], .init(outputs: Self.bits(16)))])
        #expect(outputs.keys.sorted() == ["a/relu", "b/relu", "y"])
        // The pool's output is on the grid of its input.
        let inputs = try changed([.nodes(["Conv 3"], .init(inputs: Self.bits(16)))])
        #expect(inputs.keys.sorted() == ["a/relu"])
        let all = try changed([
            .nodes(["Gemm*"], .init(inputs: Self.bits(16), outputs: Self.bits(12), parameters: Self.bits(4)))
        ])
        #expect(all.mapValues(\.settings.bitwidth) == ["b/relu": 16, "y": 12, "c/w": 4])
    }

    @Test func theLaterEntryWins() throws {
        let placement = try Self.place([
            .tensors(["*/w"], Self.bits(4)), .ops(["Gemm"], .init(parameters: Self.bits(16))),
            .tensors(["a/w"], Self.settings { $0.symmetric = false }),
        ])
        let found = Dictionary(uniqueKeysWithValues: placement.parameters.map { ($0.tensor, $0.settings) })
        #expect(found["a/w"]?.bitwidth == 4 && found["a/w"]?.symmetric == false)
        #expect(found["b/w"]?.bitwidth == 4 && found["b/w"]?.symmetric == true)
        #expect(found["c/w"]?.bitwidth == 16)
        #expect(
            placement.steps["c/w"]?.suffix(2).map(\.rule) == ["overrides[0]", "overrides[1]"]
                && placement.steps["c/w"]?.last?.node == "Gemm 6")
    }

    @Test func blocksCutTheInputChannels() throws {
        func blocks(_ size: Int) -> QuantizerOverride { Self.settings { $0.blockSize = size } }
        let found = try changed([.ops(["Conv", "Gemm"], .init(parameters: blocks(4)))])
        #expect(
            found.mapValues(\.blocks) == [
                "a/w": .init(axis: 1, size: 4), "b/w": .init(axis: 1, size: 4), "c/w": .init(axis: 0, size: 4),
            ])
        // Blocks need channels, and go with them.
        #expect(try changed([.tensors(["c/w"], blocks(2))], config: "default")["c/w"]?.channelAxis == 1)
        let undone = try changed([
            .tensors(["a/w"], blocks(4)), .tensors(["a/w"], Self.settings { $0.perChannel = false }),
        ])
        #expect(undone["a/w"]?.blocks == nil && undone["a/w"]?.channelAxis == nil)
        for (tensor, size) in [("a/w", 3), ("a/b", 2), ("x", 1)] {
            let error = #expect(throws: SimulationError.self) {
                try Self.place([.tensors([tensor], Self.settings { ($0.enabled, $0.blockSize) = (true, size) })])
            }
            #expect(error?.code == .nothingSelected && error?.path == "overrides[0].block_size", "\(tensor)")
        }
    }

    @Test func halfPrecisionNeedsNoSamples() throws {
        let half = Self.settings { $0.dataType = .float16 }
        let placement = try Self.place([.tensors(["x", "a/w", "y"], half), .tensors(["y"], Self.bits(8))])
        let types = Dictionary(
            uniqueKeysWithValues: (placement.activations + placement.parameters).map {
                ($0.tensor, $0.settings.dataType)
            })
        // A bit width asks for integers again.
        #expect(types["x"] == .float16 && types["a/w"] == .float16 && types["y"] == .int && types["b/w"] == .int)
        #expect(!placement.observedTensors.contains("x") && placement.observedTensors.contains("y"))
        #expect(
            ActivationEncodings.compute(graph: Self.graph, placement: placement, statistics: StatisticsSet())
                == ["x": .float16])
        #expect(ParameterEncodings.compute(graph: Self.graph, placement: placement)["a/w"] == .float16)
    }

    @Test func everySettingChangesItsPart() throws {
        let wanted = Self.settings {
            $0.bitwidth = 5
            $0.strictSymmetric = true
            $0.unsignedSymmetric = true
            $0.scheme = .percentile
            $0.percentile = 99
            $0.range = EncodingConstraints(min: -1, max: 2)
        }
        let found = try #require(try changed([.tensors(["y"], wanted)])["y"])
        #expect(
            found.settings
                == QuantizerSettings(
                    bitwidth: 5, symmetric: true, strictSymmetric: true, unsignedSymmetric: true,
                    scheme: .percentile(99)))
        #expect(found.constraints == EncodingConstraints(min: -1, max: 2))
        let perTensor = try changed([.ops(["Conv"], .init(parameters: Self.settings { $0.perChannel = false }))])
        #expect(perTensor.keys.sorted() == ["a/b", "a/w", "b/w"] && perTensor["a/w"]?.channelAxis == nil)
        let perChannel = try changed(
            [.tensors(["*"], Self.settings { $0.perChannel = true })], config: "default")
        #expect(perChannel.mapValues(\.channelAxis) == ["a/w": 0, "a/b": 0, "b/w": 0, "c/w": 1])
        let enabled = try changed([
            .tensors(["a/conv", "pool"], Self.settings { $0.enabled = true }),
            .ops(["Gemm"], .init(outputs: Self.settings { $0.enabled = false })),
        ])
        #expect(enabled.mapValues(\.enabled) == ["a/conv": true, "pool": true, "y": false])
    }

    /// ReLU has the quantizer of a convolution that it does not form one op with.
    @Test func sharedQuantizersChangeForAll() throws {
        let graph = GoldenGraph(
            inputs: ["x"], outputs: ["y", "z"],
            nodes: [("Conv", ["x", "w"], ["conv"]), ("Relu", ["conv"], ["y"]), ("Sigmoid", ["conv"], ["z"])],
            constants: ["w": [8, 8, 1, 1]]
        ).graph(named: "shared")
        for name in ["conv", "y"] {
            let placement = try Self.place([.tensors([name], Self.bits(4))], config: "default", on: graph)
            let found = placement.activations.filter { $0.settings.bitwidth == 4 }
            #expect(found.map(\.tensor) == ["conv", "y"] && Set(found.map(\.group)) == ["conv"])
            #expect(found.allSatisfy { placement.steps[$0.tensor]?.last?.rule == "overrides[0]" })
        }
    }

    @Test(
        arguments: [
            (.tensors(["x", "a/rule"], bits(4)), "overrides[1].tensors[1]", "a/rule", "a/relu"),
            (.tensors(["flat"], bits(4)), "overrides[1].tensors[0]", "flat", "on the grid of \"b/relu\""),
            (.ops(["Convolution"], .init(outputs: bits(4))), "overrides[1].ops[0]", "Convolution", "Conv"),
            (.nodes(["gemm"], .init(outputs: bits(4))), "overrides[1].nodes[0]", "gemm", "Gemm 6"),
            (.ops(["Relu"], .init(parameters: bits(4))), "overrides[1].parameters", "none at Relu 1, Relu 4", ""),
            (.tensors(["a/conv"], bits(4)), "overrides[1]", "quantizers that are off: a/conv", ""),
            (.ops(["MaxPool"], .init(outputs: bits(4))), "overrides[1].outputs", "quantizers that are off: pool", ""),
            (.tensors(["x"], settings { $0.perChannel = true }), "overrides[1].per_channel", "x", ""),
        ] as [(PlacementOverride, String, String, String)])
    func whatSelectsNothingIsRefused(
        _ entry: PlacementOverride, _ path: String, _ found: String, _ hint: String
    ) throws {
        let error = try #require(
            throws: SimulationError.self, performing: { try Self.place([.tensors(["x"], Self.bits(8)), entry]) })
        #expect(error.code == .nothingSelected && error.path == path && error.found == found)
        #expect(hint.isEmpty || error.candidates.contains(hint) || error.expected?.contains(hint) == true)
    }

    /// What an earlier entry sets a later one may enable.
    @Test func settingsOfWhatIsEnabledLaterAreNoError() throws {
        let found = try changed([
            .tensors(["a/conv"], Self.bits(4)), .tensors(["a/conv"], Self.settings { $0.enabled = true }),
        ])
        #expect(found["a/conv"]?.enabled == true && found["a/conv"]?.settings.bitwidth == 4)
    }

    /// Weights of 8 bits but for one layer of 4: that layer's encodings are those of the formula by hand, the others' as before.
    @Test func oneLayerInFourBits() throws {
        var graph = Self.graph
        for (index, name) in ["a/w", "b/w", "c/w"].enumerated() {
            var random = CounterRandom(key: 5, UInt64(index))
            let shape = try #require(graph.constants[name]).shape
            graph.constants[name] = Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() })
        }
        let before = ParameterEncodings.compute(graph: graph, placement: try Self.place([], on: graph))
        let after = ParameterEncodings.compute(
            graph: graph, placement: try Self.place([.tensors(["b/w"], Self.bits(4))], on: graph))
        #expect(after["a/w"] == before["a/w"] && after["c/w"] == before["c/w"])
        let values = try #require(graph.constants["b/w"]).elements(as: Float.self)
        let found = try #require(after["b/w"])
        #expect(found.axis == 0 && found.encodings.count == 8)
        for (channel, encoding) in found.encodings.enumerated() {
            let own = values[72 * channel..<72 * (channel + 1)]
            let (least, greatest) = (Double(own.min() ?? 0), Double(own.max() ?? 0))
            let delta = Float(max(greatest / 7, -least / 8))
            #expect(encoding.bitwidth == 4 && encoding.delta == Double(delta) && encoding.offset == -8)
        }
    }

    @Test func rangesReplaceWhatWeightsAskFor() throws {
        let range = Self.settings { $0.range = EncodingConstraints(min: -0.004, max: 0.004) }
        let placement = try Self.place([.tensors(["c/w"], range)], config: "default")
        let found = ParameterEncodings.compute(graph: Self.graph, placement: placement)["c/w"]
        #expect(found == TensorEncodings(.fromRange(min: -0.004, max: 0.004, bitwidth: 8, symmetric: true)))
        #expect(placement.parameters.first { $0.tensor == "c/w" }?.isFixed == true)
    }
}
