import Execution
import Foundation
import Graph
import ONNX
import Tensors
import Testing

/// Two trained classifiers of sequences against PyTorch: Tests/Golden/Sequences (made by train.py there).
struct SequenceModelTests {
    static let folder = OperatorGoldenTests.folder.appendingPathComponent("../Sequences").standardizedFileURL

    @Test(arguments: ["lstm", "transformer"])
    func outputsAgreeWithPyTorch(_ name: String) throws {
        let arrays = Dictionary(
            uniqueKeysWithValues: try NPZ.read(Self.folder.appendingPathComponent("\(name).npz")).map {
                ($0.name, $0.tensor)
            })
        let input = try #require(arrays["input"])
        let graph = try Graph(importing: ONNXFile.read(Self.folder.appendingPathComponent("\(name).onnx")))
            .specialized(inputShapes: ["input": input.shape])
        let plan = try Plan(graph, weights: WeightStore())
        try plan.run(feed: { _, place in _ = place.update(fromContentsOf: input.elements(as: Float.self)) })
        let expected = try #require(arrays["output"]).elements(as: Float.self)
        let range = expected.map(abs).max() ?? 0
        for (found, wanted) in zip(Array(plan.output("output")), expected) {
            #expect(abs(found - wanted) <= 1e-5 * range)
        }
    }
}
