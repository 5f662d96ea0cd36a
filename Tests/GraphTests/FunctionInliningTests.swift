import Graph
import Nodes
import ONNX
import Operators
import TestSupport
import Testing

/// Models that define functions: how calls become nodes, and what is refused. What they compute is held against ONNX Runtime by the
/// node tests (`function_calls`).
@Suite struct FunctionInliningTests {
    private typealias Call = (type: String, inputs: [String], outputs: [String])

    private static func node(_ call: Call, domain: String = "own") -> ONNXNodeProto {
        var proto = ONNXNodeProto()
        (proto.opType, proto.input, proto.output) = call
        proto.domain = domain
        return proto
    }

    private static func function(
        _ name: String, _ inputs: [String], _ outputs: [String], _ nodes: [ONNXNodeProto], opset: Int64 = 17
    ) -> ONNXFunctionProto {
        var proto = ONNXFunctionProto()
        (proto.name, proto.domain, proto.input, proto.output, proto.node) = (name, "own", inputs, outputs, nodes)
        var set = ONNXOperatorSetIdProto()
        set.version = opset
        proto.opsetImport = [set]
        return proto
    }

    /// x -> y through calls of functions.
    private static func model(_ functions: [ONNXFunctionProto], calls: [Call]) -> ModelBuilder {
        var builder = ModelBuilder()
        builder.input("x", "2")
        builder.output("y", "2")
        builder.model.functions = functions
        builder.model.graph.node = calls.map { node($0) }
        var set = ONNXOperatorSetIdProto()
        (set.domain, set.version) = ("own", 1)
        builder.model.opsetImport.append(set)
        return builder
    }

    @Test func callsOfCallsAreNodesWithNamesOfTheirOwn() throws {
        let inner = Self.function("Inner", ["a"], ["b"], [Self.node(("Relu", ["a"], ["b"]), domain: "")])
        let outer = Self.function(
            "Outer", ["a"], ["c"], [Self.node(("Inner", ["a"], ["b"])), Self.node(("Inner", ["b"], ["c"]))])
        let builder = Self.model([outer, inner], calls: [("Outer", ["x"], ["b"]), ("Outer", ["b"], ["y"])])
        let graph = try builder.graph()
        #expect(graph.nodes.map(\.opType) == ["Relu", "Relu", "Relu", "Relu"])
        #expect(graph.nodes.first?.inputs == ["x"] && graph.nodes.last?.outputs == ["y"])
        #expect(Set(graph.nodes.map(\.name)).count == 4)
        // The exported model has no calls, and defines nothing.
        let exported = graph.exported(over: builder.file)
        #expect(exported.model.functions.isEmpty && exported.model.opsetImport.count == 1)
        #expect(try Graph(importing: exported).nodes == graph.nodes)
    }

    @Test func outputsThatAreInputsAndAbsentInputsArePassedOn() throws {
        let clip = Self.node(("Clip", ["a", "low"], ["b"]), domain: "")
        let function = Self.function("F", ["a", "low"], ["b", "a", "b"], [clip])
        let builder = Self.model(
            [function], calls: [("F", ["x"], ["p", "q", "r"]), ("F", ["q", ""], ["", "", "y"])])
        let nodes = try builder.file.inlinedGraph().node
        #expect(nodes.map(\.opType) == ["Clip", "Identity", "Identity", "Clip"])
        #expect(nodes.map(\.input) == [["x", ""], ["x"], ["p"], ["q", ""]])
        #expect(nodes.map(\.output) == [["p"], ["q"], ["r"], ["y"]])
    }

    @Test func functionsThatCallThemselvesAreRefused() throws {
        let first = Self.function("First", ["a"], ["b"], [Self.node(("Second", ["a"], ["b"]))])
        let second = Self.function("Second", ["a"], ["b"], [Self.node(("First", ["a"], ["b"]))])
        let builder = Self.model([first, second], calls: [("First", ["x"], ["y"])])
        let error = try #require(throws: GraphError.self) { try builder.graph() }
        #expect(error.code == .recursiveFunction && error.found == "own.First")
    }

    @Test(arguments: [(levels: 10, calls: 10), (levels: 63, calls: 2), (levels: 70, calls: 1)])
    func whatMultipliesIsRefused(_ shape: (levels: Int, calls: Int)) throws {
        let functions = (0..<shape.levels).map { level in
            let nodes = (0..<shape.calls).map { index in
                level == 0
                    ? Self.node(("Relu", ["a"], ["b\(index)"]), domain: "")
                    : Self.node(("F\(level - 1)", ["a"], ["b\(index)"]))
            }
            return Self.function("F\(level)", ["a"], ["b0"], nodes)
        }
        let builder = Self.model(functions, calls: [("F\(shape.levels - 1)", ["x"], ["y"])])
        let error = try #require(throws: GraphError.self) { try builder.graph() }
        #expect([.functionsTooLarge, .recursiveFunction].contains(error.code) && error.expected != nil)
    }

    @Test func functionsOfAnotherOperatorSetAreRefused() throws {
        let function = Self.function(
            "Old", ["a"], ["b"], [Self.node(("Relu", ["a"], ["b"]), domain: "")], opset: 13)
        let builder = Self.model([function], calls: [("Old", ["x"], ["y"])])
        let error = try #require(throws: GraphError.self) { try builder.graph() }
        #expect(error.code == .unsupportedOpset && error.opType == "own.Old" && error.found == "13")
    }

    @Test func whatAFunctionDoesNotTakeIsRefused() throws {
        let function = Self.function("F", ["a"], ["b"], [Self.node(("Relu", ["a"], ["b"]), domain: "")])
        var builder = Self.model([function], calls: [("F", ["x"], ["y"])])
        var attribute = ONNXAttributeProto()
        (attribute.name, attribute.type, attribute.i) = ("secret", .int, 1)
        builder.model.graph.node[0].attribute = [attribute]
        #expect(try #require(throws: GraphError.self) { try builder.graph() }.code == .invalidAttribute)
        builder = Self.model([function], calls: [("F", ["x", "x"], ["y"])])
        #expect(try #require(throws: GraphError.self) { try builder.graph() }.code == .invalidInput)
        let open = Self.function("F", ["a"], ["b"], [Self.node(("Add", ["a", "c"], ["b"]), domain: "")])
        builder = Self.model([open], calls: [("F", ["x"], ["y"])])
        let error = try #require(throws: GraphError.self) { try builder.graph() }
        #expect(error.code == .undefinedValue && error.tensor == "c")
        builder = Self.model([function, function], calls: [("F", ["x"], ["y"])])
        #expect(try #require(throws: GraphError.self) { try builder.graph() }.code == .duplicateValue)
    }

    /// A reference to an attribute means something within a function alone.
    @Test func referencesOutsideOfFunctionsAreRefused() throws {
        var builder = Self.model([], calls: [])
        var node = Self.node(("LeakyRelu", ["x"], ["y"]), domain: "")
        var attribute = ONNXAttributeProto()
        (attribute.name, attribute.type, attribute.refAttrName) = ("alpha", .float, "slope")
        node.attribute = [attribute]
        builder.model.graph.node = [node]
        #expect(try #require(throws: GraphError.self) { try builder.graph() }.code == .invalidAttribute)
    }

    /// Names inside subgraphs of a function's nodes are made new, those around them are the caller's.
    @Test func subgraphsOfFunctionsAreRenamed() throws {
        var branch = ONNXGraphProto()
        branch.node = [Self.node(("Add", ["a", "a"], ["inside"]), domain: "")]
        var output = ONNXValueInfoProto()
        output.name = "inside"
        branch.output = [output]
        var attribute = ONNXAttributeProto()
        (attribute.name, attribute.type, attribute.g) = ("then_branch", .graph, branch)
        var choice = Self.node(("If", ["a"], ["b"]), domain: "")
        choice.attribute = [attribute]
        let builder = Self.model(
            [Self.function("F", ["a"], ["b"], [choice])], calls: [("F", ["x"], ["inside"]), ("F", ["inside"], ["y"])])
        let nodes = try builder.file.inlinedGraph().node
        let graphs = nodes.map { $0.attribute[0].g }
        #expect(graphs.map { $0.node[0].input } == [["x", "x"], ["inside", "inside"]])
        #expect(graphs.map { $0.output.map(\.name) } == graphs.map { $0.node[0].output })
        #expect(Set(graphs.flatMap { $0.node[0].output } + ["inside"]).count == 3)
    }
}
