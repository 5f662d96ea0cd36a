import App
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Passes
import Quantization
import Tensors
import TestSupport
import Testing

@Suite struct TilingTests {
    private static let demo = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/App/Demo/demo.onnx")

    private func graph() throws -> Graph { try Graph(importing: ONNXFile.read(Self.demo)) }

    private func images(_ count: Int) -> Tensor {
        var random = CounterRandom(key: 5, 0)
        return Tensor(shape: [count, 1, 28, 28], (0..<count * 784).map { _ in Float(random.next() >> 56) })
    }

    /// At least two samples, at most the batch; fewer where values are large.
    @Test func tileSizes() throws {
        let single = try graph().specialized(inputShapes: ["input": [1, 1, 28, 28]])
        let free = TileSize.samples(for: single, batch: 1 << 20)
        #expect(free >= 2 && free < 1 << 20)
        #expect(TileSize.samples(for: single, batch: free + 1) == free)
        #expect(TileSize.samples(for: single, batch: free - 1) == free - 1)
        #expect(TileSize.samples(for: single, batch: 1) == 1)
        let double = try graph().specialized(inputShapes: ["input": [2, 1, 28, 28]])
        #expect(TileSize.samples(for: double, batch: 1 << 20) <= (free + 1) / 2 + 1)
        let huge = try graph().specialized(inputShapes: ["input": [4096, 1, 28, 28]])
        #expect(TileSize.samples(for: huge, batch: 100) == 2)
    }

    /// A batch that is cut into tiles gives what its samples give one by one.
    @Test(arguments: [false, true]) func tilingDoesNotChangeOutputs(_ isQuantized: Bool) throws {
        let graph = try graph()
        let encoding = Encoding(bitwidth: 8, min: -128, max: 127, delta: 1, offset: -128, symmetric: false)
        let encodings = EncodingsFile(
            activations: isQuantized ? ["input": TensorEncodings(encodings: [encoding])] : [:], parameters: [:])
        let all = images(150)
        let whole = try Inference.compute(graph, ["input": all], encodings)
        #expect(whole.map(\.tensor.shape) == [[150, 10]])
        let scores = whole[0].tensor.elements(as: Float.self)
        let largest = scores.map(\.magnitude).max() ?? 0
        let pixels = all.elements(as: Float.self)
        for index in [0, 1, 77, 148, 149] {
            let one = Tensor(shape: [1, 1, 28, 28], Array(pixels[index * 784..<(index + 1) * 784]))
            let alone = try Inference.compute(graph, ["input": one], encodings)[0].tensor
            #expect(alone.shape == [1, 10])
            for (a, b) in zip(alone.elements(as: Float.self), scores[index * 10..<(index + 1) * 10]) {
                #expect(abs(a - b) <= 1e-5 * largest)
            }
        }
    }

    /// Inputs whose first axes differ are taken as they are.
    @Test func inputsThatCannotBeCut() throws {
        func input(_ name: String, _ extents: [Int?]) -> ValueInfo {
            ValueInfo(
                name: name, elementType: .float32, dimensions: extents.map { $0.map { .fixed($0) } ?? .unknown })
        }
        let graph = Graph(
            name: "sum", inputs: [input("a", [nil, nil]), input("b", [nil])],
            outputs: [ValueInfo(name: "y", elementType: .float32, dimensions: nil)],
            nodes: [Node(name: "add", opType: "Add", inputs: ["a", "b"], outputs: ["y"])], constants: [:],
            opsetVersion: 17)
        let a = Tensor(shape: [3, 2], [Float(0), 1, 2, 3, 4, 5])
        let b = Tensor(shape: [2], [Float(10), 20])
        let outputs = try Inference.compute(graph, ["a": a, "b": b], nil)
        #expect(outputs[0].tensor.shape == [3, 2])
        #expect(outputs[0].tensor.elements(as: Float.self) == [10, 21, 12, 23, 14, 25])
    }
}
