import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Tensors
import TestSupport
import Testing

/// Every operator's shape rule against ONNX Runtime's result for the same one-node model.
@Suite struct OperatorShapeTests {
    typealias Case = GoldenCase<[String: [Int]]>

    /// Models that ONNX Runtime runs although they make no sense; they are refused here.
    static let refusedHere: Set<String> = [
        // A window larger than its input: the runtime gives an empty output.
        "MaxPool 17 [[1, 3, 2, 2]] {'kernel_shape': [3, 3]} {}",
        // A slope that does not broadcast to the input: the specification forbids it.
        "PRelu 17 [[3], [2, 3]] {} {}",
    ]

    @Test func shapesAreTheRuntimes() throws {
        let cases = try Case.read("operators.json")
        #expect(cases.count > 150)
        for golden in cases {
            guard let expected = golden.outputs, !Self.refusedHere.contains(golden.name) else {
                #expect(throws: GraphError.self, "\(golden.name)") { try golden.specialized() }
                continue
            }
            do {
                let specialized = try golden.specialized()
                let found = specialized.types.filter { expected[$0.key] != nil }.mapValues(\.shape.dimensions)
                #expect(found == expected, "\(golden.name)")
            } catch {
                Issue.record("\(golden.name): \(error)")
            }
        }
    }

    @Test func errorsNameTheNode() throws {
        for golden in try Case.read("operators.json") where golden.outputs == nil {
            let error = try #require(throws: GraphError.self) { try golden.specialized() }
            #expect(error.node == "n" && error.opType != nil, "\(golden.name)")
            #expect(error.expected != nil && error.found != nil, "\(golden.name)")
        }
    }

    /// A type that is in no golden case has a shape rule that nobody checks.
    @Test func everyTypeHasACase() throws {
        var seen = Set(try Case.read("operators.json").map { $0.name.prefix { $0 != " " } }.map(String.init))
        for golden in try GoldenCase<[String: GoldenArray]>.read("folding.json") {
            seen.formUnion(try golden.graph().nodes.map(\.opType))
        }
        for folder in ["ControlFlow", "Definitions", "NodeTests", "Contributed", "Execution"] {
            let models = try FileManager.default.contentsOfDirectory(
                at: goldenFolder(folder), includingPropertiesForKeys: nil)
            for model in models where model.pathExtension == "onnx" {
                let nodes = try ONNXModelProto(serializedBytes: Data(contentsOf: model)).graph.node
                seen.formUnion(
                    nodes.map {
                        Node(name: "", opType: $0.opType, domain: $0.domain, inputs: [], outputs: []).qualifiedType
                    })
            }
        }
        #expect(KnownOperators.supportedTypes.subtracting(seen) == [])
    }
}
