import Graph
import Nodes
import Operators
import Quantization
import Simulation
import Tensors
import Testing

/// Which QuantizeLinear and DequantizeLinear nodes are taken for encodings, and which stay.
@Suite struct QDQImportTests {
    private static func graph(_ nodes: [Node], outputs: [String] = ["y"], scales: [String: Tensor] = [:]) -> Graph {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let constants: [String: Tensor] = [
            "s": Tensor(scalar: Float(0.5)), "t": Tensor(scalar: Float(0.25)), "z": Tensor(scalar: UInt8(3)),
            "i": Tensor(scalar: Int8(0)),
        ]
        return Graph(
            name: "g", inputs: [info("x")], outputs: outputs.map(info), nodes: nodes,
            constants: constants.merging(scales) { $1 }, opsetVersion: 17)
    }

    private static func node(_ opType: String, _ inputs: [String], _ output: String) -> Node {
        Node(name: "make \(output)", opType: opType, inputs: inputs, outputs: [output])
    }

    private static func pair(_ input: String, _ output: String, scale: String = "s", zero: String = "z") -> [Node] {
        [
            node("QuantizeLinear", [input, scale, zero], output + "_q"),
            node("DequantizeLinear", [output + "_q", scale, zero], output),
        ]
    }

    @Test func whatQDQExportWritesIsTheGraphAgain() throws {
        let graph = QDQExportTests.graph()
        let imported = QDQImport(try QDQExportTests.exported())
        #expect(
            imported.encodings == QDQExportTests.activations.merging(QDQExportTests.parameters) { $1 })
        let nodes = imported.graph.nodes.filter { $0.opType != "DequantizeLinear" }
        #expect(nodes.map(\.outputs) == graph.nodes.map(\.outputs) && nodes.map(\.name) == graph.nodes.map(\.name))
        #expect(imported.graph.outputs == graph.outputs)
        // Constants are behind a DequantizeLinear until they are folded; biases have names of their own.
        let folded = try imported.graph.foldingConstants()
        #expect(folded.nodes.map(\.inputs.first) == graph.nodes.map(\.inputs.first))
        let simulated = try graph.simulatingParameters(QDQExportTests.parameters)
        for name in ["w", "v", "m"] { #expect(folded.constants[name] == simulated.constants[name]) }
    }

    @Test func signsAndWidthsFollowFromTheZeroPoint() {
        let nodes = Self.pair("x", "a", zero: "i") + [Self.node("Neg", ["a"], "n")] + Self.pair("n", "b")
        let imported = QDQImport(Self.graph(nodes + [Self.node("Neg", ["b"], "y")]))
        #expect(
            imported.encodings == [
                "x": TensorEncodings(Encoding(bitwidth: 8, delta: 0.5, offset: -128, steps: 255, symmetric: true)),
                "n": TensorEncodings(Encoding(bitwidth: 8, delta: 0.5, offset: -3, steps: 255, symmetric: false)),
            ])
        #expect(imported.graph.nodes.map(\.inputs) == [["x"], ["n"]])
        #expect(Set(imported.graph.constants.keys) == ["t"])
    }

    /// Other tools write a DequantizeLinear for each who takes the value.
    @Test func severalDequantizedAreOneTensor() {
        let second = Self.node("DequantizeLinear", ["a_q", "s", "z"], "b")
        let imported = QDQImport(Self.graph(Self.pair("x", "a") + [second, Self.node("Add", ["a", "b"], "y")]))
        #expect(imported.graph.nodes.map(\.inputs) == [["x", "x"]] && imported.encodings.count == 1)
    }

    @Test func outputsKeepTheirNames() {
        let nodes = [Self.node("Neg", ["x"], "n")] + Self.pair("n", "y") + [Self.node("Neg", ["y"], "z2")]
        let imported = QDQImport(Self.graph(nodes, outputs: ["y", "z2"]))
        #expect(imported.graph.nodes.map(\.outputs) == [["y"], ["z2"]])
        #expect(imported.graph.nodes.map(\.inputs) == [["x"], ["y"]])
        #expect(Array(imported.encodings.keys) == ["y"])
    }

    @Test func nodesThatStay() {
        // Between input and output; two grids for one value; scales that differ; a scale that is computed.
        let direct = QDQImport(Self.graph(Self.pair("x", "y")))
        #expect(direct.graph.nodes.count == 2 && direct.encodings.isEmpty)
        let twice = QDQImport(
            Self.graph(
                Self.pair("x", "a") + Self.pair("a", "b", scale: "t") + [Self.node("Neg", ["b"], "y")]))
        #expect(twice.graph.nodes.map(\.opType) == ["QuantizeLinear", "DequantizeLinear", "Neg"])
        #expect(twice.graph.nodes[0].inputs[0] == "x" && twice.encodings.count == 1)
        var other = Self.pair("x", "a")
        other[1].inputs[1] = "t"
        #expect(QDQImport(Self.graph(other + [Self.node("Neg", ["a"], "y")])).graph.nodes.count == 3)
        let computed = [Self.node("Abs", ["s"], "c")] + Self.pair("x", "a", scale: "c")
        #expect(QDQImport(Self.graph(computed + [Self.node("Neg", ["a"], "y")])).graph.nodes.count == 4)
    }

    /// What goes through such nodes gets no second quantizer.
    @Test func nothingIsRoundedTwice() throws {
        let nodes = Self.pair("x", "a") + Self.pair("a", "b", scale: "t") + [Self.node("Neg", ["b"], "y")]
        let placement = try QuantizerPlacement(
            graph: Self.graph(nodes), config: #require(SimulationConfig.named("default")), activationBitwidth: 8,
            parameterBitwidth: 8, activationScheme: .tf, parameterScheme: .tf)
        #expect(placement.activations.map(\.tensor) == ["y"])
    }

    /// A grid behind ops that only move values is that of the values.
    @Test func ownEncodingsAreTaken() throws {
        let nodes = [
            Self.node("Neg", ["x"], "n"), Self.node("Relu", ["n"], "r"), Self.node("Flatten", ["r"], "f"),
        ]
        let imported = QDQImport(Self.graph(nodes + Self.pair("f", "d") + [Self.node("Neg", ["d"], "y")]))
        let placement = try QuantizerPlacement(
            graph: imported.graph, config: #require(SimulationConfig.named("default")), activationBitwidth: 8,
            parameterBitwidth: 8, activationScheme: .tf, parameterScheme: .tf)
        #expect(placement.activations.first { $0.tensor == "r" }?.group == "n")
        let (taking, outcome) = try placement.taking(own: imported.encodings, in: imported.graph)
        #expect(outcome.taken == ["r"] && outcome.withoutQuantizer.isEmpty && outcome.isFrozen)
        let quantizer = try #require(taking.activations.first { $0.tensor == "r" })
        #expect(quantizer.group == "r" && quantizer.given?.encodings == imported.encodings["f"] && quantizer.isFixed)
        #expect(taking.activations.first { $0.tensor == "n" }?.given == nil)
        #expect(
            taking.activations.filter(\.enabled).map(\.tensor) == placement.activations.filter(\.enabled).map(\.tensor))
    }
}
