import Execution
import Graph
import Nodes
import Operators
import Tensors
import Testing

struct WeightStoreTests {
    /// Plans of the same graph, and of the same graph for another number of samples, hold each constant once.
    @Test func plansShareConstants() throws {
        let graph = try Self.gemm(alpha: 1)
        let weights = WeightStore()
        let single = try graph.specialized(inputShapes: ["x": [1, 16]])
        _ = try Plan(single, weights: weights)
        let first = weights.byteCount
        #expect(first >= 16 * 8 * 4)
        _ = try Plan(single, weights: weights)
        #expect(weights.byteCount == first)
    }

    /// One weight that two nodes scale differently.
    @Test func variantsOfOneConstantAreKeptApart() throws {
        var graph = try Self.gemm(alpha: 1)
        graph.nodes.append(
            Node(
                name: "half", opType: "Gemm", inputs: ["x", "weight"], outputs: ["z"],
                attributes: ["alpha": .float(0.5)]))
        graph.outputs.append(ValueInfo(name: "z", elementType: .float32, dimensions: nil))
        let plan = try Plan(try graph.specialized(inputShapes: ["x": [1, 16]]), weights: WeightStore())
        try plan.run(feed: { _, place in place.update(repeating: 1) })
        let (y, z) = (Array(plan.output("y")), Array(plan.output("z")))
        #expect(y.contains { $0 != 0 })
        #expect(zip(y, z).allSatisfy { abs($0 / 2 - $1) < 1e-5 })
    }

    /// A constant that is folded from a shape has a value for each number of samples under the same name.
    @Test func constantsFoldedFromShapesAreKeptApart() throws {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "samples", inputs: [info("x")], outputs: [info("y")],
            nodes: [
                Node(name: "shape", opType: "Shape", inputs: ["x"], outputs: ["shape"]),
                Node(name: "pick", opType: "Gather", inputs: ["shape", "first"], outputs: ["count"]),
                Node(
                    name: "cast", opType: "Cast", inputs: ["count"], outputs: ["samples"], attributes: ["to": .int(1)]),
                Node(name: "add", opType: "Add", inputs: ["x", "samples"], outputs: ["y"]),
            ], constants: ["first": Tensor(shape: [1], [Int64(0)])], opsetVersion: 17)
        let weights = WeightStore()
        for samples in [1, 3, 2] {
            let plan = try Plan(try graph.specialized(inputShapes: ["x": [samples, 2]]), weights: weights)
            try plan.run(feed: { _, place in place.update(repeating: 0.5) })
            #expect(plan.output("y").allSatisfy { $0 == Float(samples) + 0.5 }, "\(samples) samples")
        }
    }

    private static func gemm(alpha: Float) throws -> Graph {
        var random = CounterRandom(key: 1)
        let weight = Tensor(shape: [16, 8], (0..<128).map { _ in random.normal() })
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        return Graph(
            name: "gemm", inputs: [info("x")], outputs: [info("y")],
            nodes: [
                Node(
                    name: "gemm", opType: "Gemm", inputs: ["x", "weight"], outputs: ["y"],
                    attributes: ["alpha": .float(alpha)])
            ], constants: ["weight": weight], opsetVersion: 17)
    }
}
