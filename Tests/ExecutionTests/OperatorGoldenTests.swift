import Execution
import Foundation
import Graph
import ONNX
import Tensors
import Testing

/// Every operator form against ONNX Runtime: Tests/Golden/Execution holds one small network and its outputs per case
/// (made by generate.py there).
struct OperatorGoldenTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Golden/Execution").standardizedFileURL

    static let cases: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted()
    }()

    @Test func thereAreCases() {
        #expect(Self.cases.count > 100)
    }

    @Test(arguments: cases)
    func outputsAgreeWithONNXRuntime(_ name: String) throws {
        try check(name, tapped: false)
    }

    /// With every value tapped nothing is fused, and each value's memory is shown.
    @Test(arguments: cases)
    func outputsAgreeWhenEveryValueIsTapped(_ name: String) throws {
        try check(name, tapped: true)
    }

    /// In the words of a later operator set a network computes the same.
    @Test(arguments: cases, [13, 22])
    func outputsAgreeInALaterOperatorSet(_ name: String, _ opset: Int) throws {
        try check(name, tapped: false) { graph in
            let raised = graph.raisingOpset(to: opset)
            #expect(raised.opsetVersion == max(graph.opsetVersion, opset))
            try raised.validate()
            return raised
        }
    }

    private func check(_ name: String, tapped: Bool, changing change: (Graph) throws -> Graph = { $0 }) throws {
        let arrays = Dictionary(
            uniqueKeysWithValues: try NPZ.read(Self.folder.appendingPathComponent("\(name).npz"))
                .map { ($0.name, $0.tensor) })
        let graph = try change(Graph(importing: ONNXFile.read(Self.folder.appendingPathComponent("\(name).onnx"))))
        var shapes: [String: Shape] = [:]
        for input in graph.inputs { shapes[input.name] = try #require(arrays[input.name]).shape }
        let specialized = try graph.specialized(inputShapes: shapes)
        let values =
            specialized.inputs
            + specialized.steps.flatMap(\.node.outputs).filter {
                specialized.types[$0]?.elementType == .float32
            }
        let plan = try Plan(specialized, weights: WeightStore(), taps: tapped ? Set(values) : [])

        // Twice: a run must not depend on what an earlier one left in the arena.
        var seen: Set<String> = []
        for _ in 0..<2 {
            seen = []
            try plan.run(
                feed: { input, place in
                    let elements = try #require(arrays[input]).elements(as: Float.self)
                    _ = place.update(fromContentsOf: elements)
                },
                tap: { tap in
                    seen.insert(tap.name)
                    let count = try #require(specialized.types[tap.name]).shape.count
                    #expect(tap.elements.count - tap.layoutZeros == count)
                    // What fills up a layout is zero.
                    #expect(tap.elements.count { $0 == 0 } >= tap.layoutZeros)
                })
        }
        if tapped { #expect(seen == Set(values)) }

        for output in graph.outputs {
            let expected = try #require(arrays[output.name])
            #expect(specialized.types[output.name]?.shape == expected.shape)
            let reference = expected.elements(as: Float.self)
            let range = max(reference.map(abs).max() ?? 0, 1e-6)
            let found = Array(plan.output(output.name))
            #expect(found.count == reference.count)
            for (index, (a, b)) in zip(found, reference).enumerated() where abs(a - b) > 1e-5 * range {
                Issue.record("\(name): \(output.name)[\(index)] is \(a), ONNX Runtime has \(b)")
                break
            }
        }
    }
}
