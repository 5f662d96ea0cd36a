import Graph
import Nodes
import ONNX
import Operators
import Tensors
import TestSupport
import Testing

/// What changes with the operator set; that the result is the same is tested with the golden networks of Execution, and
/// shapes here with the one-node models.
@Suite struct OpsetRaisingTests {
    @Test func shapesStay() throws {
        for golden in try OperatorShapeTests.Case.read("operators.json") where golden.outputs != nil {
            guard let specialized = try? golden.specialized() else { continue }
            let raised = try golden.graph().raisingOpset(to: 22)
            try raised.validate()
            let again = try raised.specialized(inputShapes: golden.inputs.mapValues { Shape($0) })
            for output in specialized.outputs {
                #expect(again.types[output] == specialized.types[output], "\(golden.name)")
            }
        }
    }

    private func raised(_ node: Node, from opset: Int, to version: Int) -> Graph {
        let value = { ValueInfo(name: $0, elementType: .float32, dimensions: nil) }
        return Graph(
            name: "g", inputs: [value("x")], outputs: [value("y")], nodes: [node], constants: [:], opsetVersion: opset
        ).raisingOpset(to: version)
    }

    @Test func axesBecomeAnInput() {
        let node = Node(
            name: "n", opType: "ReduceMean", inputs: ["x"], outputs: ["y"],
            attributes: ["axes": .ints([2, 3]), "keepdims": .int(0)])
        #expect(raised(node, from: 13, to: 17).nodes == [node])
        let graph = raised(node, from: 13, to: 18)
        #expect(graph.nodes[0].inputs == ["x", "n_axes"] && graph.nodes[0].attributes == ["keepdims": .int(0)])
        #expect(graph.constants == ["n_axes": Tensor(shape: [2], [Int64(2), 3])])
    }

    @Test func anUpsampleBecomesAResize() {
        let node = Node(
            name: "n", opType: "Upsample", inputs: ["x"], outputs: ["y"],
            attributes: ["scales": .floats([1, 1, 2, 2]), "mode": .string("nearest")])
        let graph = raised(node, from: 8, to: 13)
        #expect(graph.nodes[0].opType == "Resize" && graph.nodes[0].inputs == ["x", "", "n_scales"])
        #expect(
            graph.nodes[0].attributes == [
                "mode": .string("nearest"), "nearest_mode": .string("floor"),
                "coordinate_transformation_mode": .string("asymmetric"),
            ])
        #expect(raised(node, from: 8, to: 9).nodes[0].inputs == ["x", "n_scales"])
    }

    @Test func theNumberOfTheBestBecomesAnInput() {
        let node = Node(name: "n", opType: "TopK", inputs: ["x"], outputs: ["y"], attributes: ["k": .int(3)])
        let graph = raised(node, from: 9, to: 13)
        #expect(graph.nodes[0].inputs == ["x", "n_k"] && graph.nodes[0].attributes.isEmpty)
        #expect(graph.constants == ["n_k": Tensor(shape: [1], [Int64(3)])])
    }

    @Test func anAbsentBoundStaysAbsent() {
        let node = Node(
            name: "n", opType: "Clip", inputs: ["x"], outputs: ["y"], attributes: ["max": .float(6)])
        let graph = raised(node, from: 9, to: 13)
        #expect(graph.nodes[0].inputs == ["x", "", "n_max"] && graph.nodes[0].attributes.isEmpty)
        #expect(graph.constants == ["n_max": Tensor(scalar: Float(6))])
    }

    @Test func equalPartsAreCounted() {
        let node = Node(name: "n", opType: "Split", inputs: ["x"], outputs: ["y", "z"])
        #expect(raised(node, from: 13, to: 18).nodes[0].attributes == ["num_outputs": .int(2)])
        let parts = Node(
            name: "n", opType: "Split", inputs: ["x"], outputs: ["y", "z"], attributes: ["split": .ints([1, 2])])
        let graph = raised(parts, from: 11, to: 21)
        #expect(graph.nodes[0].attributes.isEmpty && graph.nodes[0].inputs == ["x", "n_split"])
    }

    @Test func softmaxOverSeveralAxesIsThatOfAMatrix() {
        let node = Node(name: "n", opType: "Softmax", inputs: ["x"], outputs: ["y"])
        #expect(raised(node, from: 11, to: 13).nodes.map(\.opType) == ["Flatten", "Softmax", "Shape", "Reshape"])
        #expect(raised(node, from: 13, to: 21).nodes == [node])
        var last = node
        last.attributes["axis"] = .int(-1)
        #expect(raised(last, from: 11, to: 13).nodes == [last])
    }

    @Test func theFileHasTheIRVersionOfTheOperatorSet() throws {
        var builder = ModelBuilder(opset: 9, irVersion: 3)
        builder.input("x", "batch", "4")
        builder.input("w", "4")
        builder.output("y", "batch", "4")
        builder.constant("w", Tensor(shape: [4], [Float(1), 2, 3, 4]))
        builder.node("Mul", ["x", "w"], ["y"], name: "mul")
        let graph = try Graph(importing: builder.file)
        #expect(graph.exported(over: builder.file).model.irVersion == 3)
        let model = graph.raisingOpset(to: 21).exported(over: builder.file).model
        #expect(model.irVersion == 10 && model.opsetImport[0].version == 21)
        #expect(model.graph.input.map(\.name) == ["x"])
    }
}
