import Graph
import Nodes
import ONNX
import Operators
import Tensors
import TestSupport
import Testing

/// Operators that are functions of others.
@Suite struct CompositionTests {
    /// query, key, value -> y, causal.
    private static func attention(_ shapes: [[String]]) -> ModelBuilder {
        var builder = ModelBuilder(opset: 23)
        for (name, shape) in zip(["query", "key", "value"], shapes) { builder.input(name, shape) }
        builder.output("y", "?", "?", "?", "?")
        builder.node("Attention", ["query", "key", "value"], ["y"], name: "attention")
        var attribute = ONNXAttributeProto()
        (attribute.name, attribute.type, attribute.i) = ("is_causal", .int, 1)
        builder.model.graph.node[0].attribute = [attribute]
        return builder
    }

    @Test func partsStandInPlaceOfTheNode() throws {
        let graph = try Self.attention([["1", "2", "3", "4"], ["1", "2", "3", "4"], ["1", "2", "3", "4"]]).graph()
        let specialized = try graph.specialized(inputShapes: [:])
        let types = specialized.steps.map(\.node.opType)
        #expect(types.count { $0 == "MatMul" } == 2 && types.contains("Softmax") && !types.contains("Attention"))
        #expect(specialized.steps.allSatisfy { $0.node.name.hasPrefix("attention/") })
        #expect(specialized.types["y"]?.shape == [1, 2, 3, 4])
    }

    @Test func samplesStayApartWhereTheyDoInTheParts() throws {
        let graph = try Self.attention([["n", "2", "3", "4"], ["n", "2", "3", "4"], ["n", "2", "3", "4"]]).graph()
        let sample = Shape([2, 3, 4])
        let positions = try graph.samplePositions(samples: ["query": sample, "key": sample, "value": sample], batch: 4)
        #expect(positions["y"]?.isRows == true)
    }

    /// Only the outputs of a node that folds become constants.
    @Test func foldingLeavesNothingBehind() throws {
        var builder = ModelBuilder(opset: 23)
        builder.input("x", "2", "2")
        builder.output("y", "2", "2")
        builder.constant("a", Tensor(shape: [2, 2], [Float(3), 4, 0, 1]))
        builder.constant("scale", Tensor(shape: [2], [Float(1), 2]))
        builder.node("RMSNormalization", ["a", "scale"], ["b"])
        builder.node("Add", ["x", "b"], ["y"])
        let folded = try builder.graph().foldingConstants()
        #expect(folded.nodes.map(\.opType) == ["Add"] && Set(folded.constants.keys) == ["b"])
        let expected: [Float] = [3 / 12.5.squareRoot(), 8 / 12.5.squareRoot(), 0, 2 * 2.0.squareRoot()].map {
            Float($0)
        }
        for (x, y) in zip(try #require(folded.constants["b"]).elements(as: Float.self), expected) {
            #expect(abs(x - y) < 1e-4)
        }
    }

    /// Extents cost a file nothing, and without elements no memory.
    @Test func hugeSequencesAreRefused() throws {
        for extents in [("2147483647", "2147483647"), ("2147483647", "2"), ("2", "2147483647")] {
            let (queries, keys) = extents
            let graph = try Self.attention([
                ["1", "2", queries, "0"], ["1", "2", keys, "0"], ["1", "2", keys, "0"],
            ]).graph()
            let error = try #require(throws: GraphError.self) {
                try graph.specialized(inputShapes: [
                    "query": [1, 2, Int(queries) ?? 0, 0], "key": [1, 2, Int(keys) ?? 0, 0],
                    "value": [1, 2, Int(keys) ?? 0, 0],
                ])
            }
            #expect(error.node?.hasPrefix("attention") == true && error.expected != nil)
        }
    }

    /// An op type of another domain is not the default domain's of that name.
    @Test func domainsAreKeptApart() throws {
        for (type, domain) in [("Relu", "com.microsoft"), ("FusedMatMul", ""), ("com.microsoft.FusedMatMul", "")] {
            var builder = ModelBuilder()
            builder.input("x", "2", "2")
            builder.output("y", "2", "2")
            builder.node(type, type == "Relu" ? ["x"] : ["x", "x"], ["y"], domain: domain)
            #expect(try #require(throws: GraphError.self) { try builder.graph() }.code == .unsupportedOperators)
        }
    }
}
