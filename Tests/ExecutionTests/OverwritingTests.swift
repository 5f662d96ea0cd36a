import Execution
import Graph
import Nodes
import Operators
import Tensors
import Testing

/// Operators that work in place must leave memory alone that is still needed, under whatever name and layout.
struct OverwritingTests {
    /// A convolution's output in a blocked layout, and its row-major copy that a Reshape gives a second name.
    private static let convolution = [
        Node(name: "conv", opType: "Conv", inputs: ["input", "weight"], outputs: ["x"]),
        Node(name: "reshape", opType: "Reshape", inputs: ["x", "extents"], outputs: ["y"]),
        Node(name: "relu", opType: "Relu", inputs: ["y"], outputs: ["z"]),
    ]

    @Test func copyUnderAnotherNameIsKeptForAGraphOutput() throws {
        try check(Self.convolution, outputs: ["z", "x"])
    }

    @Test func copyUnderAnotherNameIsKeptForALaterReader() throws {
        let later = [
            Node(name: "flatten", opType: "Flatten", inputs: ["x"], outputs: ["flat"]),
            Node(name: "neg", opType: "Neg", inputs: ["flat"], outputs: ["w"]),
        ]
        try check(Self.convolution + later, outputs: ["z", "w"])
    }

    @Test func copyUnderAnotherNameIsKeptForAFusedAddition() throws {
        let nodes = [
            Node(name: "conv", opType: "Conv", inputs: ["input", "weight"], outputs: ["x"]),
            Node(name: "reshape", opType: "Reshape", inputs: ["x", "extents"], outputs: ["flat"]),
            Node(name: "back", opType: "Reshape", inputs: ["flat", "image"], outputs: ["y"]),
            Node(name: "second", opType: "Conv", inputs: ["x", "square"], outputs: ["product"]),
            Node(name: "add", opType: "Add", inputs: ["product", "y"], outputs: ["z"]),
        ]
        try check(nodes, outputs: ["z"])
    }

    @Test func bothNamesAreGraphOutputs() throws {
        try check(Self.convolution, outputs: ["y", "x", "z"])
    }

    @Test func inputsAndConstantsAreGraphOutputs() throws {
        let nodes = [Node(name: "relu", opType: "Relu", inputs: ["input"], outputs: ["z"])]
        try check(nodes, outputs: ["input", "weight", "z"])
    }

    /// x + relu(x): the addition may not overwrite what the other operand still is.
    @Test func valueAddedToItsOwnFunction() throws {
        let nodes = [
            Node(name: "relu", opType: "Relu", inputs: ["input"], outputs: ["y"]),
            Node(name: "conv", opType: "Conv", inputs: ["y", "weight"], outputs: ["x"]),
            Node(name: "add", opType: "Add", inputs: ["x", "x"], outputs: ["double"]),
            Node(name: "second", opType: "Conv", inputs: ["x", "square"], outputs: ["product"]),
            Node(name: "sum", opType: "Add", inputs: ["product", "x"], outputs: ["z"]),
        ]
        try check(nodes, outputs: ["double", "z"])
    }

    private func check(_ nodes: [Node], outputs: [String]) throws {
        var random = CounterRandom(key: 7)
        func tensor(_ shape: Shape) -> Tensor {
            Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() })
        }
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "aliases", inputs: [info("input")], outputs: outputs.map(info), nodes: nodes,
            constants: [
                "weight": tensor([5, 3, 1, 1]), "square": tensor([5, 5, 1, 1]),
                "extents": Tensor(shape: [2], [Int64(2), 80]), "image": Tensor(shape: [4], [Int64(2), 5, 4, 4]),
            ], opsetVersion: 17)
        let inputs = ["input": tensor([2, 3, 4, 4])]
        let specialized = try graph.specialized(inputShapes: inputs.mapValues(\.shape))
        let expected = try ReferenceInterpreter(graph: specialized).values(for: inputs)
        let plan = try Plan(specialized, weights: WeightStore())
        try plan.run(inputs)
        for output in outputs {
            let (found, wanted) = (Array(plan.output(output)), try #require(expected[output]).elements)
            #expect(found.count == wanted.count)
            #expect(zip(found, wanted).allSatisfy { abs(Double($0) - $1) < 1e-4 }, "\(output)")
        }
    }
}
