import Graph
import Nodes
import Operators
import Quantization
import Simulation
import Tensors
import Testing

/// The structure of the exported graph; what runtimes compute with it is compared by Benchmarks/compare_qdq.py.
@Suite struct QDQExportTests {
    /// Two convolutions of one weight, a third that has the first one's bias, and a Gemm behind values that have no
    /// quantizer of their own. The outputs are the first Relu, which is also taken by others, and the Gemm.
    static func graph(opset: Int = 17) -> Graph {
        func value(_ name: String, _ dimensions: [Int]) -> ValueInfo {
            ValueInfo(name: name, elementType: .float32, dimensions: dimensions.map { .fixed($0) })
        }
        let numbers = (0..<16).map { Float(($0 * 7) % 16) / 8 - 1 }
        return Graph(
            name: "g", inputs: [value("x", [1, 2, 4, 4])],
            outputs: [value("relu", [1, 2, 4, 4]), value("y", [1, 3])],
            nodes: [
                Node(name: "conv", opType: "Conv", inputs: ["x", "w", "b"], outputs: ["sum"]),
                Node(name: "relu", opType: "Relu", inputs: ["sum"], outputs: ["relu"]),
                Node(
                    name: "pool", opType: "MaxPool", inputs: ["relu"], outputs: ["pooled"],
                    attributes: ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]),
                Node(name: "again", opType: "Conv", inputs: ["pooled", "w"], outputs: ["left"]),
                Node(name: "other", opType: "Conv", inputs: ["pooled", "v", "b"], outputs: ["right"]),
                Node(name: "add", opType: "Add", inputs: ["left", "right"], outputs: ["added"]),
                Node(name: "scale", opType: "Mul", inputs: ["added", "factor"], outputs: ["scaled"]),
                Node(name: "flat", opType: "Flatten", inputs: ["scaled"], outputs: ["flat"]),
                Node(
                    name: "gemm", opType: "Gemm", inputs: ["flat", "m", "c"], outputs: ["y"],
                    attributes: ["transB": .int(1)]),
            ],
            constants: [
                "w": Tensor(shape: [2, 2, 1, 1], [Float(1), -2, 0.5, 0.25]),
                "b": Tensor(shape: [2], [Float(0.3), -0.7]),
                "v": Tensor(shape: [2, 2, 1, 1], [Float(1), -1, 0.5, 0.25]), "factor": Tensor(scalar: Float(0.5)),
                "m": Tensor(shape: [3, 8], numbers + numbers.prefix(8).map { $0 / 100 }),
                "c": Tensor(shape: [3], [Float(0.1), 0.2, -0.3]),
            ], opsetVersion: opset)
    }

    static func grid(_ min: Double, _ max: Double, _ bitwidth: Int = 8, symmetric: Bool = false) -> Encoding {
        .fromRange(min: min, max: max, bitwidth: bitwidth, symmetric: symmetric)
    }

    static func channels(_ limits: [Double], _ bitwidth: Int = 8) -> TensorEncodings {
        TensorEncodings(encodings: limits.map { grid(-$0, $0, bitwidth, symmetric: true) }, axis: 0)
    }

    static let shared = TensorEncodings(grid(-3, 4))
    static let activations = [
        "x": TensorEncodings(grid(-1, 2)), "relu": TensorEncodings(grid(0, 3)), "left": shared, "right": shared,
        "added": shared, "scaled": TensorEncodings(grid(-2, 2)), "factor": TensorEncodings(grid(0, 0.5)),
        "y": TensorEncodings(grid(-4, 1)),
    ]
    static let parameters = [
        "w": channels([2, 0.5]), "v": TensorEncodings(grid(-1, 1, symmetric: true)), "m": channels([1, 1, 0.01]),
    ]

    static func exported(
        _ graph: Graph = graph(), _ activations: [String: TensorEncodings] = activations,
        _ parameters: [String: TensorEncodings] = parameters
    ) throws -> Graph {
        let exported = try QDQExport.graph(graph, activations: activations, parameters: parameters)
        checkNames(exported)
        return exported
    }

    /// Every name is defined once, before it is used; nodes have names of their own; no constant is without use.
    static func checkNames(_ graph: Graph) {
        var defined = Set(graph.constants.keys).union(graph.inputs.map(\.name))
        for node in graph.nodes {
            for name in node.inputs where !name.isEmpty { #expect(defined.contains(name), "\(node.name): \(name)") }
            for name in node.outputs { #expect(defined.insert(name).inserted, "\(node.name): \(name)") }
        }
        for output in graph.outputs { #expect(defined.contains(output.name), "\(output.name)") }
        #expect(Set(graph.nodes.map(\.name)).count == graph.nodes.count)
        let uses = ValueUses(graph)
        for name in graph.constants.keys { #expect(uses.isUsed(name), "\(name)") }
    }

    static func node(_ name: String, in graph: Graph) throws -> Node {
        try #require(graph.nodes.first { $0.name == name })
    }

    static func producer(_ value: String, in graph: Graph) throws -> Node {
        try #require(graph.nodes.first { $0.outputs.contains(value) })
    }

    /// The encodings that the nodes of an exported graph say, by the name of the tensor, and what the tensor is now.
    static func readBack(_ graph: Graph) throws -> [String: TensorEncodings] {
        var found: [String: TensorEncodings] = [:]
        for node in graph.nodes where node.opType == "DequantizeLinear" && node.inputs.count == 3 {
            let zeroPoint = try #require(graph.constants[node.inputs[2]])
            let scale = try #require(graph.constants[node.inputs[1]]).elements(as: Float.self)
            let isSigned = zeroPoint.elementType == .int8
            let zeroPoints =
                isSigned
                ? zeroPoint.elements(as: Int8.self).map(Int.init) : zeroPoint.elements(as: UInt8.self).map(Int.init)
            var axis: Int?
            if case .int(let value)? = node.attributes["axis"] { axis = value }
            let encodings = zip(scale, zeroPoints).map { scale, zeroPoint in
                Encoding(
                    bitwidth: 8, delta: Double(scale), offset: -zeroPoint - (isSigned ? 128 : 0), steps: 255,
                    symmetric: isSigned)
            }
            let name = try #require(node.inputs[1].wholeMatch(of: #/(.*)_scale/#)).output.1
            found[String(name)] = TensorEncodings(encodings: encodings, axis: axis)
        }
        return found
    }

    @Test func everyEncodingIsThere() throws {
        let found = try Self.readBack(Self.exported())
        #expect(found == Self.activations.merging(Self.parameters) { $1 })
    }

    @Test func consumersTakeTheDequantizedValue() throws {
        let graph = try Self.exported()
        #expect(graph.inputs == Self.graph().inputs && graph.outputs == Self.graph().outputs)
        let conv = try Self.node("conv", in: graph)
        #expect(conv.inputs[0] == "x_qdq" && conv.outputs == ["sum"])
        let pair = try Self.producer("x_qdq", in: graph)
        #expect(pair.opType == "DequantizeLinear" && pair.inputs == ["x_q", "x_scale", "x_zero_point"])
        let quantize = try Self.producer("x_q", in: graph)
        #expect(quantize.opType == "QuantizeLinear" && quantize.inputs == ["x", "x_scale", "x_zero_point"])
        #expect(quantize.attributes.isEmpty && graph.constants["x_scale"]?.shape == [])
        #expect(graph.constants["x_zero_point"] == Tensor(shape: [], elementType: .uint8, storage: Self.bytes([85])))
        #expect(try Self.node("add", in: graph).inputs == ["left_qdq", "right_qdq"])
        // Shared quantizers are nodes of their own with equal numbers.
        #expect(graph.constants["left_scale"] == graph.constants["right_scale"])
    }

    /// Scales of blocks have the shape that ONNX asks for, and no bias is on a grid that depends on the block.
    @Test func blocksHaveScalesOfTheirOwn() throws {
        var parameters = Self.parameters
        let grids = (1...6).map { Self.grid(-Double($0), Double($0), 4, symmetric: true) }
        parameters["m"] = TensorEncodings(
            encodings: grids, axis: 0, blocks: .init(axis: 1, size: 4), blockGrids: [3, 2])
        parameters["w"] = TensorEncodings(
            encodings: Array(grids.prefix(4)), axis: 0, blocks: .init(axis: 1, size: 1), blockGrids: [2, 2, 1, 1])
        let graph = try Self.exported(Self.graph(), Self.activations, parameters)
        #expect(graph.opsetVersion == 21)
        let matrix = try Self.producer("m", in: graph)
        #expect(matrix.attributes == ["axis": .int(1), "block_size": .int(4)])
        #expect(graph.constants["m_scale"] == Tensor(shape: [3, 2], grids.map { Float($0.delta) }))
        #expect(graph.constants["m_zero_point"]?.shape == [3, 2])
        #expect(graph.constants["m_q"]?.elementType == .int4)
        #expect(graph.constants["w_scale"]?.shape == [2, 2, 1, 1])
        #expect(try Self.node("gemm", in: graph).inputs[2] == "c" && graph.constants["c"] != nil)
    }

    @Test func halfPrecisionIsCast() throws {
        var (activations, parameters) = (Self.activations, Self.parameters)
        for name in ["x", "relu", "factor"] { activations[name] = .float16 }
        parameters["m"] = .float16
        let graph = try Self.exported(Self.graph(), activations, parameters)
        let back = try Self.producer("x_qdq", in: graph)
        let there = try Self.producer(back.inputs[0], in: graph)
        #expect(back.opType == "Cast" && back.attributes == ["to": .int(1)])
        #expect(there.opType == "Cast" && there.attributes == ["to": .int(10)] && there.inputs == ["x"])
        #expect(graph.constants["m_float16"]?.elementType == .float16 && graph.constants["m"] == nil)
        #expect(try Self.producer("m", in: graph).opType == "Cast")
        // The output keeps its name.
        #expect(try Self.producer("relu", in: graph).opType == "Cast")
        // Integers times halves are no integers.
        #expect(try Self.node("conv", in: graph).inputs[2] == "b" && graph.constants["b"] != nil)
        #expect(try Self.node("gemm", in: graph).inputs[2] == "c")
    }

    static func bytes(_ bytes: [UInt8]) -> TensorStorage {
        TensorStorage(byteCount: bytes.count) { $0.copyBytes(from: bytes) }
    }

    /// An output has its name, and who takes it inside takes the same.
    @Test func outputsKeepTheirNames() throws {
        let graph = try Self.exported()
        #expect(try Self.node("relu", in: graph).outputs == ["relu_unquantized"])
        #expect(try Self.producer("relu_q", in: graph).inputs[0] == "relu_unquantized")
        #expect(try Self.producer("relu", in: graph).opType == "DequantizeLinear")
        #expect(try Self.node("pool", in: graph).inputs == ["relu"])
        #expect(try Self.producer("y", in: graph).opType == "DequantizeLinear")
    }

    @Test func aSharedWeightIsStoredOnce() throws {
        let graph = try Self.exported()
        #expect(try Self.node("conv", in: graph).inputs[1] == "w" && Self.node("again", in: graph).inputs[1] == "w")
        let dequantize = try Self.producer("w", in: graph)
        #expect(dequantize.inputs == ["w_q", "w_scale", "w_zero_point"] && dequantize.attributes == ["axis": .int(0)])
        #expect(graph.constants["w"] == nil)
        let integers = try #require(graph.constants["w_q"])
        #expect(integers.elementType == .int8 && integers.shape == [2, 2, 1, 1])
        #expect(integers.elements(as: Int8.self) == [64, -127, 127, 64])

        // Times scale it is what the simulation computes with.
        let scales = try #require(graph.constants["w_scale"]).elements(as: Float.self)
        let simulated = try Self.graph().simulatingParameters(Self.parameters).constants["w"]
        let values = integers.elements(as: Int8.self).enumerated().map { Float($1) * scales[$0 / 2] }
        #expect(simulated == Tensor(shape: [2, 2, 1, 1], values))
    }

    /// On the grid of the products: one for each weight, per channel where the weight is, also behind ops that have no
    /// quantizer.
    @Test func biasesAreIntegers() throws {
        let graph = try Self.exported()
        func check(_ node: String, _ bias: String, _ input: String, _ weight: String) throws {
            let dequantize = try Self.producer(Self.node(node, in: graph).inputs[2], in: graph)
            #expect(dequantize.opType == "DequantizeLinear" && dequantize.inputs.count == 2)
            let encodings = try #require(Self.parameters[weight])
            let delta = Float(try #require(Self.activations[input]?.encodings.first).delta)
            let scales = encodings.encodings.map { delta * Float($0.delta) }
            let isPerChannel = encodings.axis != nil
            #expect(
                graph.constants[dequantize.inputs[1]] == Tensor(shape: isPerChannel ? [scales.count] : [], scales))
            #expect(dequantize.attributes == (isPerChannel ? ["axis": .int(0)] : [:]))
            let integers = try #require(graph.constants[dequantize.inputs[0]]).elements(as: Int32.self)
            let exact = try #require(Self.graph().constants[bias]).elements(as: Float.self)
            for index in exact.indices {
                let scale = scales[index % scales.count]
                #expect(abs(Float(integers[index]) * scale - exact[index]) <= 0.5001 * scale)
            }
        }
        try check("conv", "b", "x", "w")
        try check("other", "b", "relu", "v")
        try check("gemm", "c", "scaled", "m")
        #expect(graph.constants["b"] == nil && graph.constants["c"] == nil)
        #expect(try Self.node("gemm", in: graph).inputs[2] == "c")
    }

    /// What `infer` and evaluations compute with.
    @Test func biasesAreThoseOfTheSimulation() throws {
        let exported = try Self.exported()
        let simulated = Self.graph().simulatingBiases(Self.activations.merging(Self.parameters) { $1 })
        for name in ["conv", "other", "gemm"] {
            let dequantize = try Self.producer(Self.node(name, in: exported).inputs[2], in: exported)
            let integers = try #require(exported.constants[dequantize.inputs[0]]).elements(as: Int32.self)
            let scales = try #require(exported.constants[dequantize.inputs[1]]).elements(as: Float.self)
            let layer = try Self.node(name, in: simulated)
            let bias = try #require(simulated.constants[layer.inputs[2]])
            #expect(
                bias.elements(as: Float.self)
                    == integers.enumerated().map { Float($1) * scales[$0 % scales.count] }, "\(name)")
        }
        #expect(simulated.nodes.map(\.inputs.count) == Self.graph().nodes.map(\.inputs.count))
        // Without encodings of activations nothing is known of the products.
        #expect(Self.graph().simulatingBiases(Self.parameters).constants == Self.graph().constants)
    }

    @Test func biasesThatStay() throws {
        func gemmBias(
            _ activations: [String: TensorEncodings] = Self.activations,
            _ parameters: [String: TensorEncodings] = Self.parameters,
            change: (inout Graph) -> Void = { _ in }
        ) throws -> Tensor? {
            var graph = Self.graph()
            change(&graph)
            return try Self.exported(graph, activations, parameters).constants["c"]
        }
        #expect(try gemmBias() == nil)
        let bias = Self.graph().constants["c"]
        #expect(try gemmBias(Self.activations.filter { $0.key != "scaled" }) == bias)
        #expect(try gemmBias(Self.activations, Self.parameters.filter { $0.key != "m" }) == bias)
        // Beyond int32 in a channel of tiny weights.
        let large = Tensor(shape: [3], [Float(0.1), 0.2, -30])
        let tiny = Self.parameters.merging(["m": Self.channels([1, 1, 1e-9])]) { $1 }
        #expect(try gemmBias(Self.activations, tiny) { $0.constants["c"] = large } == large)
        #expect(try gemmBias { $0.constants["c"] = large } == nil)
        #expect(try gemmBias { $0.nodes[8].attributes["alpha"] = .float(0.5) } == bias)
        #expect(try gemmBias { $0.nodes[8].attributes["beta"] = .float(1) } == nil)
        // With an encoding of its own it has that.
        let own = ["c": TensorEncodings(Self.grid(-1, 1, symmetric: true))]
        let graph = try Self.exported(Self.graph(), Self.activations, Self.parameters.merging(own) { $1 })
        #expect(graph.constants["c_q"]?.elementType == .int8)
    }

    /// With weights of 16 bits the products are small enough for biases to be beyond int32 of them.
    @Test func largeBiasesOfWideWeights() throws {
        var graph = Self.graph()
        graph.constants["b"] = Tensor(shape: [2], [Float(32), -7])
        let exported = try Self.exported(
            graph, ["x": TensorEncodings(Self.grid(-1, 2, 16))], ["w": Self.channels([2, 0.5], 16)])
        let dequantize = try Self.producer(Self.node("conv", in: exported).inputs[2], in: exported)
        #expect(dequantize.attributes.isEmpty)
        #expect(exported.constants[dequantize.inputs[1]] == Tensor(scalar: Float(0x1p-25)))
        #expect(exported.constants[dequantize.inputs[0]] == Tensor(shape: [2], [Int32(1 << 30), -7 << 25]))
        // Another layer takes it as it was.
        #expect(
            try Self.node("other", in: exported).inputs[2] == "b" && exported.constants["b"] == graph.constants["b"])
    }

    @Test(arguments: [
        (8, ElementType.uint8, ElementType.int8), (4, .uint4, .int4), (3, .uint4, .int4), (6, .uint8, .int8),
        (16, .uint16, .int16), (12, .uint16, .int16),
    ])
    func typesOfWidths(_ bitwidth: Int, _ unsigned: ElementType, _ signed: ElementType) throws {
        let activations = [
            "x": TensorEncodings(Self.grid(-1, 2, bitwidth)),
            "relu": TensorEncodings(Self.grid(-1, 1, bitwidth, symmetric: true)),
        ]
        let graph = try Self.exported(Self.graph(opset: 9), activations, ["w": Self.channels([2, 0.5], bitwidth)])
        #expect(graph.constants["x_zero_point"]?.elementType == unsigned)
        for name in ["relu", "w"] {
            let zeroPoint = try #require(graph.constants["\(name)_zero_point"])
            #expect(zeroPoint.elementType == signed)
            #expect(zeroPoint.withUnsafeBytes { $0.allSatisfy { $0 == 0 } })
        }
        #expect(graph.constants["w_q"]?.elementType == signed)
        #expect(graph.opsetVersion == (unsigned == .uint8 ? 13 : 21))

        // Where the type is wider than the grid, values are clipped to the grid. Weights are on it already.
        let isNarrower = ![4, 8, 16].contains(bitwidth)
        #expect(graph.nodes.contains { $0.opType == "Clip" } == isNarrower)
        if isNarrower {
            let clip = try Self.producer(Self.producer("x_q", in: graph).inputs[0], in: graph)
            let bounds = try clip.inputs.dropFirst().map {
                try #require(graph.constants[$0]).elements(as: Float.self)[0]
            }
            let encoding = try #require(activations["x"]?.encodings.first)
            #expect(bounds == [Float(encoding.min), Float(encoding.max)])
            #expect(clip.inputs[0] == "x")
        }
    }

    @Test func strictSymmetricGridsAreClipped() throws {
        let strict = Encoding.fromRange(min: -1, max: 1, bitwidth: 8, symmetric: true, strict: true)
        let graph = try Self.exported(Self.graph(), ["x": TensorEncodings(strict)], ["v": TensorEncodings(strict)])
        let clip = try Self.node("x_Clip", in: graph)
        #expect(graph.constants[clip.inputs[1]] == Tensor(scalar: -127 * Float(strict.delta)))
        #expect(graph.constants["x_zero_point"]?.elementType == .int8)
        #expect(graph.constants["v_q"]?.elements(as: Int8.self) == [127, -127, 64, 32])
    }

    @Test func asymmetricWeightsAreUnsigned() throws {
        let encodings = TensorEncodings(encodings: [Self.grid(-2, 1), Self.grid(0, 0.5)], axis: 0)
        let graph = try Self.exported(Self.graph(), [:], ["w": encodings])
        #expect(graph.constants["w_q"]?.elements(as: UInt8.self) == [255, 0, 255, 127])
        #expect(graph.constants["w_zero_point"]?.elements(as: UInt8.self) == [170, 0])
    }

    /// As late as the nodes need and no later.
    @Test func operatorSets() throws {
        let one = ["x": TensorEncodings(Self.grid(-1, 2))]
        #expect(try Self.exported(Self.graph(opset: 9), one, [:]).opsetVersion == 10)
        #expect(try Self.exported(Self.graph(opset: 12), one, [:]).opsetVersion == 12)
        #expect(try Self.exported(Self.graph(opset: 12), one, ["w": Self.channels([2, 1])]).opsetVersion == 13)
        #expect(try Self.exported(Self.graph(opset: 17)).opsetVersion == 17)
        #expect(try Self.exported(Self.graph(opset: 9), ["x": .init(Self.grid(-1, 2, 6))], [:]).opsetVersion == 11)
        #expect(try Self.exported(Self.graph(opset: 9), [:], [:]).opsetVersion == 9)
    }

    @Test func namesThatAreTaken() throws {
        var graph = Self.graph()
        graph.nodes[0].outputs = ["x_qdq"]
        graph.nodes[1].inputs = ["x_qdq"]
        graph.nodes[0].name = "x_QuantizeLinear"
        graph.nodes[3].outputs = ["w_q"]
        graph.nodes[5].inputs[0] = "w_q"
        let exported = try Self.exported(graph)
        #expect(try Self.node("x_QuantizeLinear", in: exported).inputs[0] == "x_qdq_1")
        #expect(exported.constants["w_q_1"]?.elementType == .int8)
    }

    @Test func widthsWithoutATypeAreRefused() {
        let wide = ["x": TensorEncodings(Self.grid(-1, 1, 17))]
        let error = #expect(throws: SimulationError.self) { try Self.exported(Self.graph(), wide, [:]) }
        #expect(error?.code == .unsupportedBitwidth && error?.tensor == "x" && error?.found == "17")
    }

    @Test func anOutputThatIsAnInputIsRefused() {
        var graph = Self.graph()
        graph.outputs.append(graph.inputs[0])
        let error = #expect(throws: SimulationError.self) { try Self.exported(graph) }
        #expect(error?.code == .quantizedInputIsOutput && error?.tensor == "x")
    }
}
