import Execution
import Foundation
import Graph
import ONNX
import Tensors
import Testing

/// Gradients of small networks, and of functions at their kinks, against PyTorch: Tests/Golden/Gradients (made by generate.py
/// there).
struct GradientGoldenTests {
    static let folder = OperatorGoldenTests.folder.appendingPathComponent("../Gradients").standardizedFileURL

    static let cases: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted()
    }()

    @Test func thereAreCases() {
        #expect(Self.cases.count >= 19)
    }

    /// Within 1e-5 of the largest element of the same array, which counts as at least 0.1: some gradients are zero but for
    /// rounding.
    @Test(arguments: cases)
    func gradientsAgreeWithPyTorch(_ name: String) throws {
        try check(name, tapped: false)
    }

    /// Some gradients are computed from inputs instead of outputs then.
    @Test(arguments: cases)
    func gradientsAgreeWhenEveryValueIsTapped(_ name: String) throws {
        try check(name, tapped: true)
    }

    private func check(_ name: String, tapped: Bool) throws {
        let arrays = Dictionary(
            uniqueKeysWithValues: try NPZ.read(Self.folder.appendingPathComponent("\(name).npz"))
                .map { ($0.name, $0.tensor) })
        let graph = try Graph(importing: ONNXFile.read(Self.folder.appendingPathComponent("\(name).onnx")))
            .specialized(inputShapes: [:])
        let trained = Set(graph.constants.keys.filter { arrays["gradient \($0)"] != nil })
        let plan = try TrainingPlan(
            graph, parameters: trained, taps: tapped ? graph.variables : [], inputGradients: true)
        func write(_ tensor: Tensor?, _ place: UnsafeMutableBufferPointer<Float>) throws {
            _ = place.update(fromContentsOf: try #require(tensor).elements(as: Float.self))
        }
        // Twice: a run must not depend on what an earlier one left in the arena.
        for _ in 0..<2 {
            try plan.run(
                feed: { try write(arrays[$0], $1) }, parameter: { try write(graph.constants[$0], $1) },
                loss: { plan in
                    for output in graph.outputs {
                        try write(arrays["projection \(output)"], plan.outputGradient(output))
                    }
                })
        }
        for variable in graph.inputs + trained.sorted() {
            let expected = try #require(arrays["gradient \(variable)"]).elements(as: Float.self)
            let found = Array(plan.gradient(variable))
            #expect(found.count == expected.count)
            let range = max(expected.map(abs).max() ?? 0, 0.1)
            for (index, (a, b)) in zip(found, expected).enumerated() where !(abs(a - b) <= 1e-5 * range) {
                Issue.record("\(name): gradient of \(variable)[\(index)] is \(a), PyTorch has \(b)")
                break
            }
        }
    }
}
