import Foundation
import Graph
import Nodes
import ONNX
import Operators
import PostTraining
import Tensors
import Testing

/// Graphs before and after folding, against aimet-onnx's result for the same models.
@Suite struct BatchNormFoldingTests {
    struct Case: Decodable {
        let name: String
        /// Serialized ModelProtos.
        let model: Data
        let folded: Data

        static func all() throws -> [Case] {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            let url = folder.appendingPathComponent("Golden/PostTraining/folding.json")
            return try JSONDecoder().decode([Case].self, from: Data(contentsOf: url))
        }
    }

    @Test func namesAndWeightsAreTheReferences() throws {
        let cases = try Case.all()
        #expect(cases.count > 15)
        for golden in cases {
            let before = try graph(golden.model)
            let (after, folded) = BatchNormFolding.fold(before)
            let expected = try graph(golden.folded)
            #expect(after.nodes.map(\.outputs) == expected.nodes.map(\.outputs), "\(golden.name)")
            #expect(after.nodes.map(\.inputs) == expected.nodes.map(\.inputs), "\(golden.name)")
            #expect(after.nodes.map(\.name) == expected.nodes.map(\.name), "\(golden.name)")
            let gone = before.nodes.map(\.name).filter { name in !expected.nodes.contains { $0.name == name } }
            #expect(folded == gone, "\(golden.name)")
            #expect(Set(after.constants.keys) == Set(expected.constants.keys), "\(golden.name)")
            for (name, tensor) in after.constants {
                let difference = try relativeDifference(tensor, try #require(expected.constants[name]))
                #expect(difference < 1e-6, "\(golden.name): \(name)")
            }
            for (left, right) in zip(after.nodes, expected.nodes) where left.opType == "BatchNormalization" {
                #expect(left.attributes["epsilon"] == right.attributes["epsilon"], "\(golden.name)")
            }
        }
    }

    /// What has a grid of its own stays what it is: a weight, the value between layer and normalization, a scale.
    @Test(arguments: ["W", "c", "bn.scale"]) func whatIsKeptIsNotChanged(_ name: String) throws {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        func vector(_ values: Float...) -> Tensor { Tensor(shape: [2], values) }
        let before = Graph(
            name: "g", inputs: [info("x")], outputs: [info("y")],
            nodes: [
                Node(name: "conv", opType: "Conv", inputs: ["x", "W"], outputs: ["c"]),
                Node(
                    name: "norm", opType: "BatchNormalization",
                    inputs: ["c", "bn.scale", "bn.bias", "bn.mean", "bn.variance"], outputs: ["y"]),
            ],
            constants: [
                "W": Tensor(shape: [2, 1, 1, 1], [Float(1), 2]), "bn.scale": vector(2, 3), "bn.bias": vector(1, -1),
                "bn.mean": vector(0.5, 0.25), "bn.variance": vector(4, 9),
            ], opsetVersion: 17)
        #expect(BatchNormFolding.fold(before).folded == ["norm"])
        let (after, folded) = BatchNormFolding.fold(before, keeping: [name])
        // A scale that is kept may still go into the weight, which is not.
        #expect(folded == (name == "bn.scale" ? ["norm"] : []))
        #expect(after.constants[name] == (name == "bn.scale" ? nil : before.constants[name]))
        let (left, _) = BatchNormFolding.fold(before, keeping: [name, "W"])
        #expect(left.constants == before.constants || name != "bn.scale")
    }

    /// A graph output between layer and normalization keeps its meaning (aimet-onnx folds here and changes it).
    @Test func graphOutputsAreNotChanged() throws {
        let golden = try #require(try Case.all().first { $0.name == "conv without bias" })
        var watched = try graph(golden.model)
        watched.outputs.append(ValueInfo(name: "c", elementType: .float32, dimensions: nil))
        let (after, folded) = BatchNormFolding.fold(watched)
        #expect(folded.isEmpty)
        #expect(after.constants["W"] == watched.constants["W"])
    }

    @Test func aFoldedGraphIsLegal() throws {
        for golden in try Case.all() where !golden.name.contains("transposed conv") {
            let (after, _) = BatchNormFolding.fold(try Graph(importing: ONNXFile(decoding: golden.model)))
            try after.validate()
            #expect(BatchNormFolding.fold(after).folded.isEmpty || golden.name == "two normalizations")
        }
    }

    /// The graph of a model file without validation: transposed convolutions can be folded, but not imported yet.
    private func graph(_ data: Data) throws -> Graph {
        let file = try ONNXFile(decoding: data)
        let proto = file.model.graph
        let nodes = proto.node.map { node in
            Node(
                name: node.name, opType: node.opType, inputs: node.input, outputs: node.output,
                attributes: Dictionary(uniqueKeysWithValues: node.attribute.map { ($0.name, attribute($0)) }))
        }
        let constants = try proto.initializer.map { ($0.name, try file.tensor($0)) }
        func values(_ protos: [ONNXValueInfoProto]) -> [ValueInfo] {
            protos.map { ValueInfo(name: $0.name, elementType: .float32, dimensions: nil) }
        }
        return Graph(
            name: "g", inputs: values(proto.input), outputs: values(proto.output), nodes: nodes,
            constants: Dictionary(uniqueKeysWithValues: constants), opsetVersion: 17)
    }

    private func attribute(_ proto: ONNXAttributeProto) -> Attribute {
        switch proto.type {
        case .float: .float(proto.f)
        case .ints: .ints(proto.ints.map { Int($0) })
        default: .int(Int(proto.i))
        }
    }

    /// The largest difference, relative to the largest magnitude.
    private func relativeDifference(_ left: Tensor, _ right: Tensor) throws -> Float {
        try #require(left.shape == right.shape)
        let (a, b) = (left.elements(as: Float.self), right.elements(as: Float.self))
        let largest = b.map(\.magnitude).max() ?? 0
        return (zip(a, b).map { ($0 - $1).magnitude }.max() ?? 0) / Swift.max(largest, .leastNormalMagnitude)
    }
}
