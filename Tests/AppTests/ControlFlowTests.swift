import App
import Graph
import Nodes
import ONNX
import Operators
import Quantization
import Tensors
import Testing

/// Branches, loops, scans, sequences, and extents that values say.
@Suite struct ControlFlowTests {
    static let models = GoldenModel.all(in: "ControlFlow")

    @Test func thereAreCases() { #expect(Self.models.count >= 19) }

    @Test(arguments: models) func outputsAgree(_ model: GoldenModel) throws { try model.check() }

    @Test(arguments: models) func outputsAgreeInALaterOperatorSet(_ model: GoldenModel) throws {
        try model.check { graph in
            let raised = graph.raisingOpset(to: 22)
            try raised.validate()
            return raised
        }
    }

    /// What is written is read again as the same graph.
    @Test(arguments: models) func exportKeepsGraphs(_ model: GoldenModel) throws {
        let file = try ONNXFile.read(model.file)
        let graph = try Graph(importing: file)
        let again = try Graph(importing: ONNXFile(decoding: graph.exported(over: file).encoded()))
        #expect(again.nodes == graph.nodes)
        try model.check { raised in
            let raised = raised.raisingOpset(to: 22)
            return try Graph(importing: ONNXFile(decoding: raised.exported(over: file).encoded()))
        }
    }

    /// A value is rounded once, by the steps that compute it: before a condition is asked for, within, and behind it.
    @Test func valuesOfAllStagesAreQuantized() throws {
        let step = Encoding(bitwidth: 8, delta: 0.5, offset: -128, steps: 255, symmetric: false)
        var nodes = [
            Node(name: "double", opType: "Add", inputs: ["x", "x"], outputs: ["h"]),
            Node(name: "sum", opType: "ReduceSum", inputs: ["h"], outputs: ["s"], attributes: ["keepdims": .int(0)]),
            Node(name: "ask", opType: "Greater", inputs: ["s", "zero"], outputs: ["c"]),
        ]
        func branch(_ opType: String) -> Subgraph {
            Subgraph(
                inputs: [], outputs: ["b"],
                nodes: [Node(name: "b", opType: opType, inputs: ["h", "w"], outputs: ["b"])], constants: [:])
        }
        nodes.append(
            Node(
                name: "if", opType: "If", inputs: ["c"], outputs: ["z"],
                attributes: ["then_branch": .graph(branch("Mul")), "else_branch": .graph(branch("Sub"))]))
        nodes.append(Node(name: "last", opType: "Add", inputs: ["z", "h"], outputs: ["y"]))
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "stages", inputs: [info("x")], outputs: [info("y")], nodes: nodes,
            constants: ["zero": Tensor(scalar: Float(0)), "w": Tensor(scalar: Float(0.3))], opsetVersion: 17)
        try graph.validate()
        let encodings = EncodingsFile(
            activations: Dictionary(uniqueKeysWithValues: ["h", "z", "y"].map { ($0, TensorEncodings(step)) }),
            parameters: [:])
        // h: 2.2 is 2; z: 0.6 is 0.5; y: 2.5. And -2.2 is -2; -2.3 is -2.5; -4.5.
        for (x, y) in [(Float(1.1), Float(2.5)), (-1.1, -4.5)] {
            let outputs = try Inference.compute(graph, ["x": Tensor(shape: [1], [x])], encodings)
            #expect(outputs.first?.tensor.elements(as: Float.self) == [y])
        }
    }

    /// A loop without an end is refused, and so is one of too many turns.
    @Test(arguments: ["", "many"]) func endlessLoopsAreRefused(_ limit: String) throws {
        let body = Subgraph(
            inputs: ["i", "c", "h"], outputs: ["c", "h"], nodes: [], constants: [:])
        let loop = Node(
            name: "loop", opType: "Loop", inputs: [limit, "", "x"], outputs: ["y"], attributes: ["body": .graph(body)])
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "endless", inputs: [info("x")], outputs: [info("y")], nodes: [loop],
            constants: ["many": Tensor(scalar: Int64.max)], opsetVersion: 17)
        let error = try #require(throws: GraphError.self) {
            try Inference.compute(graph, ["x": Tensor(shape: [1], [Float(1)])], nil)
        }
        #expect(error.code == .unsupportedOperators && error.node == "loop")
    }
}
