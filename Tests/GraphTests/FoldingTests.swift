import Graph
import Tensors
import Testing

/// Values that follow from constants and shapes, against ONNX Runtime's.
@Suite struct FoldingTests {
    @Test func valuesAreTheRuntimes() throws {
        for golden in try GoldenCase<[String: GoldenArray]>.read("folding.json") {
            let specialized = try golden.specialized()
            #expect(specialized.steps.isEmpty, "\(golden.name)")
            for (name, expected) in try #require(golden.outputs) {
                let found = specialized.constants[name]
                #expect(found != nil && found == expected.tensor, "\(golden.name): \(name)")
            }
        }
    }

    @Test func constantsFoldWithoutShapes() throws {
        let golden = try #require(
            try GoldenCase<[String: GoldenArray]>.read("folding.json").first {
                $0.name == "flatten by shape arithmetic"
            })
        let folded = try golden.graph().foldingConstants()
        #expect(folded.nodes.first?.opType == "Shape", "the input's shape is not known yet")
        let weights = try #require(
            try GoldenCase<[String: GoldenArray]>.read("folding.json").first { $0.name == "filled weights" })
        let filled = try weights.graph().foldingConstants()
        #expect(filled.nodes.isEmpty)
        #expect(filled.constants["w"] == weights.outputs?["w"]?.tensor)
        #expect(filled.constants["s"] == nil, "nobody uses the shape of the weights any more")
    }
}
