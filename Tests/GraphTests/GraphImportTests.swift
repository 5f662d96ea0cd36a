import Graph
import Nodes
import ONNX
import Operators
import Tensors
import TestSupport
import Testing

@Suite struct GraphImportTests {
    @Test func allUnsupportedTypesAreListed() throws {
        var builder = ModelBuilder()
        builder.input("x", "1")
        builder.output("y", "1")
        builder.node("Zeta", ["x"], ["a"])
        builder.node("Relu", ["a"], ["b"])
        builder.node("Fused", ["b"], ["c"], domain: "com.microsoft")
        builder.node("Zeta", ["c"], ["y"])
        let error = try #require(throws: GraphError.self) { try builder.graph() }
        #expect(error == GraphError(.unsupportedOperators, found: "Zeta, com.microsoft.Fused"))
    }

    @Test(arguments: [6, 29, 0]) func opsetsOutsideTheRange(version: Int) throws {
        let error = try #require(throws: GraphError.self) { try ModelBuilder(opset: version).graph() }
        #expect(error == GraphError(.unsupportedOpset, expected: "7 to 28", found: "\(version)"))
    }

    @Test func initializersListedAsInputsAreNoInputs() throws {
        var builder = ModelBuilder(irVersion: 3)
        builder.input("x", "2")
        builder.input("w", "2")
        builder.output("y", "2")
        builder.constant("w", Tensor(shape: [2], [Float(1), 2]))
        builder.node("Add", ["x", "w"], ["y"])
        let graph = try builder.graph()
        #expect(graph.inputs.map(\.name) == ["x"])
        #expect(graph.constants["w"]?.elements(as: Float.self) == [1, 2])
        // Before IR version 4 the file must list them again.
        let exported = graph.exported(over: builder.file)
        #expect(exported.model.graph.input == builder.model.graph.input)
    }

    @Test func questionMarksAreOpenExtentsOfTheirOwn() throws {
        var builder = ModelBuilder()
        builder.input("x", "height", "width")
        builder.output("y", "height", "width")
        builder.node("Relu", ["x"], ["y"])
        for axis in 0..<2 { builder.model.graph.input[0].type.tensorType.shape.dim[axis].dimParam = "?" }
        #expect(try builder.graph().inputs[0].dimensions == [.unknown, .unknown])
    }

    @Test func constantNodesAndTheirIdentitiesAreConstants() throws {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.node("Constant", [], ["c"], ["value_ints": [3, 4]])
        builder.node("Identity", ["c"], ["d"])
        builder.node("Reshape", ["x", "d"], ["y"])
        let graph = try builder.graph()
        #expect(graph.nodes.map(\.opType) == ["Reshape"])
        #expect(graph.constants["d"]?.elements(as: Int64.self) == [3, 4])
    }

    @Test func namesAreMadeUnique() throws {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.node("Relu", ["x"], ["a"])
        builder.node("Relu", ["a"], ["b"], name: "n")
        builder.node("Relu", ["b"], ["c"], name: "n")
        builder.node("Relu", ["c"], ["d"], name: "n_1")
        builder.node("Relu", ["d"], ["y"], name: "Relu_0")
        let names = try builder.graph().nodes.map(\.name)
        #expect(names == ["Relu_0_1", "n", "n_2", "n_1", "Relu_0"])
    }

    @Test func nodesAreSorted() throws {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.node("Relu", ["b"], ["y"], name: "third")
        builder.node("Relu", ["a"], ["b"], name: "second")
        builder.node("Add", ["x", "x"], ["a"], name: "first")
        #expect(try builder.graph().nodes.map(\.name) == ["first", "second", "third"])
    }

    @Test func cyclesAreNamed() throws {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.node("Relu", ["x"], ["a"], name: "fine")
        builder.node("Add", ["a", "c"], ["b"], name: "left")
        builder.node("Relu", ["b"], ["c"], name: "right")
        builder.node("Relu", ["c"], ["y"], name: "last")
        let error = try #require(throws: GraphError.self) { try builder.graph() }
        #expect(error == GraphError(.cycle, node: "left", opType: "Add"))
    }

    @Test func valuesThatAreMissingOrDoubledAreNamed() throws {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.node("Add", ["x", "ghost"], ["y"], name: "add")
        #expect(
            try #require(throws: GraphError.self) { try builder.graph() }
                == GraphError(.undefinedValue, node: "add", opType: "Add", tensor: "ghost"))
        builder.model.graph.node[0].input = ["x", "x"]
        builder.node("Relu", ["x"], ["y"], name: "relu")
        #expect(
            try #require(throws: GraphError.self) { try builder.graph() }
                == GraphError(.duplicateValue, node: "relu", opType: "Relu", tensor: "y"))
        builder.model.graph.node.removeLast()
        builder.output("z", "2")
        #expect(
            try #require(throws: GraphError.self) { try builder.graph() } == GraphError(.undefinedValue, tensor: "z"))
    }

    @Test func attributesThatNobodyKnowsAreRefused() throws {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.node("Relu", ["x"], ["y"], name: "relu", ["secret": [1]])
        #expect(
            try #require(throws: GraphError.self) { try builder.graph() }
                == GraphError(.invalidAttribute, node: "relu", opType: "Relu", found: "secret"))
    }

    @Test func anOutputInUseThatIsNotComputedIsRefused() throws {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.node("Relu", ["x"], ["y", "other"], name: "relu")
        #expect(throws: Never.self) { try builder.graph() }
        builder.output("other", "2")
        let error = try #require(throws: GraphError.self) { try builder.graph() }
        #expect(error.code == .unsupportedOperators && error.node == "relu" && error.tensor == "other")
    }
}
