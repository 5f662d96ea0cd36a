import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Testing

/// ONNX's own node tests, those that Tests/Golden/NodeTests has, nodes of ONNX Runtime's operators, and networks of operators that
/// are computed by their definitions, those of Tests/Golden/Definitions, as they are: every input is fed.
@Suite struct NodeTests {
    static let models = ["NodeTests", "Contributed", "Definitions"].flatMap { GoldenModel.all(in: $0) }

    /// - Returns: whether all of its operators are known.
    private static func isKnown(_ model: GoldenModel) throws -> Bool {
        try ONNXFile.read(model.file).inlinedGraph().node.allSatisfy { node in
            KnownOperators.supports(
                Node(name: "", opType: node.opType, domain: node.domain, inputs: [], outputs: []))
        }
    }

    @Test func thereAreCases() throws {
        let known = try Self.models.filter(Self.isKnown)
        print(
            "node tests: \(Self.models.count), of which \(Self.models.count - known.count) have operators that are not known"
        )
        #expect(known.count >= 331)
    }

    @Test(arguments: models) func outputsAgree(_ model: GoldenModel) throws {
        guard try Self.isKnown(model) else { return }
        try model.check()
    }

    /// In the words of a later operator set a node computes the same.
    @Test(arguments: models) func outputsAgreeInALaterOperatorSet(_ model: GoldenModel) throws {
        guard try Self.isKnown(model) else { return }
        try model.check { graph in
            let raised = graph.raisingOpset(to: 22)
            try raised.validate()
            return raised
        }
    }
}
