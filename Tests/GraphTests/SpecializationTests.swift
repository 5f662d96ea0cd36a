import Graph
import Nodes
import ONNX
import Operators
import Tensors
import TestSupport
import Testing

@Suite struct SpecializationTests {
    private func twoInputs() throws -> Graph {
        var builder = ModelBuilder()
        builder.input("x", "batch", "3", "?")
        builder.input("z", "batch")
        builder.output("y", "batch")
        builder.node("Relu", ["x"], ["y"])
        builder.node("Relu", ["z"], ["unused"])
        return try builder.graph()
    }

    @Test func declaredExtentsHold() throws {
        let graph = try twoInputs()
        func error(_ shapes: [String: Shape]) throws -> GraphError {
            try #require(throws: GraphError.self) { try graph.specialized(inputShapes: shapes) }
        }
        func mismatch(_ tensor: String, _ expected: String, _ found: String) -> GraphError {
            GraphError(.inputShapeMismatch, tensor: tensor, expected: expected, found: found)
        }
        #expect(throws: Never.self) { try graph.specialized(inputShapes: ["x": [2, 3, 7], "z": [2]]) }
        #expect(try error(["x": [2, 3, 7]]) == mismatch("z", "[batch]", "none"))
        #expect(try error(["x": [2, 4, 7], "z": [2]]) == mismatch("x", "[batch = 2, 3, ?]", "[2, 4, 7]"))
        #expect(try error(["x": [2, 3, 7], "z": [5]]) == mismatch("z", "[batch = 2]", "[5]"))
        #expect(try error(["x": [2, 3], "z": [2]]) == mismatch("x", "[batch, 3, ?]", "[2, 3]"))
        #expect(try error(["x": [2, 3, 7], "z": [2], "w": []]) == mismatch("w", "x, z", "w"))
    }

    @Test func nodesWithoutUseAreDropped() throws {
        let specialized = try twoInputs().specialized(inputShapes: ["x": [2, 3, 7], "z": [2]])
        #expect(specialized.steps.map(\.node.outputs) == [["y"]])
        #expect(specialized.types["unused"] == nil)
        #expect(specialized.types["z"] == ValueType(.float32, [2]), "inputs stay")
    }

    @Test func aFixedBatchMeetsAnotherOne() throws {
        var builder = ModelBuilder()
        builder.input("x", "batch", "512")
        builder.output("y", "1", "512")
        builder.constant("shape", Tensor(shape: [2], [Int64(1), 512]))
        builder.node("Reshape", ["x", "shape"], ["y"], name: "flatten")
        let graph = try builder.graph()
        #expect(throws: Never.self) { try graph.specialized(inputShapes: ["x": [1, 512]]) }
        let error = try #require(throws: GraphError.self) { try graph.specialized(inputShapes: ["x": [8, 512]]) }
        #expect(
            error
                == GraphError(
                    .shapeMismatch, node: "flatten", opType: "Reshape", tensor: "x", expected: "[1, 512]",
                    found: "[8, 512]"))
    }

    @Test func shapesMustNotDependOnSamples() throws {
        var builder = ModelBuilder()
        builder.input("x", "4")
        builder.output("y", "?")
        builder.node("Range", ["x", "x", "x"], ["y"], name: "range")
        let error = try #require(throws: GraphError.self) { try builder.graph().specialized(inputShapes: [:]) }
        #expect(error.code == .unknownParameter && error.node == "range" && error.tensor == "x")
    }

    /// Extents that depend on elements ask for the elements.
    @Test(arguments: ["NonZero", "Unique", "Compress", "NonMaxSuppression"])
    func whatExtentsDependOnIsNamed(_ opType: String) throws {
        var builder = ModelBuilder()
        let others = opType == "NonMaxSuppression" ? ["scores"] : opType == "Compress" ? ["flags"] : []
        builder.input("x", "1", "2", "4")
        if opType == "Compress" {
            builder.input("v", "2")
            builder.node("Greater", ["v", "v"], ["flags"])
        }
        if opType == "NonMaxSuppression" { builder.input("scores", "1", "3", "2") }
        builder.output("y", "?", "?")
        builder.node(opType, ["x"] + others, ["y"], name: "n")
        let error = try #require(throws: GraphError.self) { try builder.graph().specialized(inputShapes: [:]) }
        #expect(error.code == .unknownParameter && error.node == "n")
        #expect(error.tensor == (opType == "Compress" ? "flags" : "x"))
    }

    @Test func aCastToTheSameTypeMovesNothing() throws {
        var builder = ModelBuilder()
        builder.input("x", "4")
        builder.output("y", "4")
        builder.node("Cast", ["x"], ["y"], name: "cast")
        var to = ONNXAttributeProto()
        (to.name, to.type, to.i) = ("to", .int, 1)
        builder.model.graph.node[0].attribute = [to]
        let step = try #require(try builder.graph().specialized(inputShapes: [:]).steps.first)
        #expect(step.node.opType == "Identity" && step.node.name == "cast" && step.operator is Reshaping)
        builder.model.graph.node[0].attribute[0].i = 11
        let other = try builder.graph().specialized(inputShapes: [:])
        #expect(other.steps.map(\.node.opType) == ["Cast"] && other.types["y"]?.elementType == .float64)
    }

    @Test func fillingTheMemoryIsRefused() throws {
        var builder = ModelBuilder()
        builder.input("x", "4")
        builder.output("y", "?")
        builder.constant("huge", Tensor(shape: [2], [Int64(1 << 20), 1 << 20]))
        builder.node("ConstantOfShape", ["huge"], ["w"], name: "fill")
        builder.node("Add", ["x", "w"], ["y"])
        let graph = try builder.graph()
        let error = try #require(throws: GraphError.self) { try graph.specialized(inputShapes: [:]) }
        #expect(error.code == .invalidInput && error.node == "fill" && error.found == "[1048576, 1048576]")
        #expect(throws: GraphError.self) { try graph.foldingConstants() }
    }

    @Test func changedBytesNeverCrash() throws {
        let seed: UInt64 = 2
        var random = CounterRandom(key: seed)
        for golden in try OperatorShapeTests.Case.read("operators.json") {
            for round in 0..<30 {
                var bytes = golden.model
                for _ in 0...Int.random(in: 0..<3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                let name = "\(golden.name), round \(round), seed \(seed)"
                guard let file = try? ONNXFile(decoding: bytes, name: name), let graph = try? Graph(importing: file)
                else { continue }
                _ = try? graph.specialized(inputShapes: golden.inputs.mapValues { Shape($0) })
            }
        }
    }
}
