import Graph
import Tensors
import TestSupport
import Testing

@Suite struct OutputRemovalTests {
    /// Two outputs over a common part; the loss has an input, a constant and nodes of its own, and one node uses nothing of it.
    private func graph() throws -> Graph {
        var model = ModelBuilder()
        model.input("x", "n", "3")
        model.input("targets", "n", "3")
        model.constant("scale", Tensor(shape: [1], [Float(2)]))
        model.constant("factor", Tensor(shape: [1], [Float(3)]))
        model.constant("unused", Tensor(shape: [1], [Float(4)]))
        model.node("Mul", ["x", "scale"], ["scores"])
        model.node("Sub", ["scores", "targets"], ["difference"])
        model.node("Relu", ["scores"], ["output"])
        model.node("Mul", ["difference", "factor"], ["scaled"])
        model.node("Add", ["scaled", "scale"], ["sum"])
        model.node("ReduceMean", ["sum"], ["loss"])
        model.node("Neg", ["x"], ["loose"])
        model.output("output", "n", "3")
        model.output("loss", "1", "1")
        return try model.graph()
    }

    @Test func `what only the output needed goes with it`() throws {
        let graph = try graph().removingOutput("loss")
        #expect(graph.outputs.map(\.name) == ["output"])
        #expect(graph.inputs.map(\.name) == ["x"])
        #expect(graph.nodes.map(\.opType) == ["Mul", "Relu", "Neg"])
        #expect(graph.constants.keys.sorted() == ["scale", "unused"])
        _ = try graph.specialized(inputShapes: ["x": [2, 3]])
    }

    /// The loss reads the other output; what the loss was made of stays where the output is removed instead.
    @Test func `what another output needs stays`() throws {
        let graph = try graph().removingOutput("output")
        #expect(graph.outputs.map(\.name) == ["loss"])
        #expect(graph.inputs.map(\.name) == ["x", "targets"])
        #expect(graph.nodes.map(\.opType) == ["Mul", "Sub", "Mul", "Add", "ReduceMean", "Neg"])
        #expect(graph.constants.keys.sorted() == ["factor", "scale", "unused"])
    }
}
