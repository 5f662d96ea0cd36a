import Execution
import Foundation
import Graph
import Tensors
import Testing

struct PlanTests {
    /// The same network: [samples, 3, 8, 8] through convolutions, a shortcut and a fully connected layer.
    private static func network() -> Graph {
        var random = CounterRandom(key: 3)
        func tensor(_ shape: Shape) -> Tensor {
            Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() * 0.3 })
        }
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let pads = ["pads": Attribute.ints([1, 1, 1, 1])]
        return Graph(
            name: "network", inputs: [info("x")], outputs: [info("y")],
            nodes: [
                Node(name: "a", opType: "Conv", inputs: ["x", "wa", "ba"], outputs: ["a"], attributes: pads),
                Node(name: "b", opType: "Relu", inputs: ["a"], outputs: ["b"]),
                Node(name: "c", opType: "Conv", inputs: ["b", "wc"], outputs: ["c"], attributes: pads),
                Node(name: "d", opType: "Add", inputs: ["c", "b"], outputs: ["d"]),
                Node(name: "e", opType: "GlobalAveragePool", inputs: ["d"], outputs: ["e"]),
                Node(name: "f", opType: "Flatten", inputs: ["e"], outputs: ["f"]),
                Node(name: "g", opType: "Gemm", inputs: ["f", "wg", "bg"], outputs: ["y"]),
            ],
            constants: [
                "wa": tensor([11, 3, 3, 3]), "ba": tensor([11]), "wc": tensor([11, 11, 3, 3]), "wg": tensor([11, 10]),
                "bg": tensor([10]),
            ], opsetVersion: 17)
    }

    private static func image(_ key: UInt64) -> [Float] {
        var random = CounterRandom(key: 4, key)
        return (0..<3 * 8 * 8).map { _ in random.normal() }
    }

    /// The bits of the scores of each sample.
    private static func scores(_ plan: Plan, _ images: [[Float]]) throws -> [[UInt32]] {
        try plan.run(feed: { _, place in _ = place.update(fromContentsOf: images.flatMap { $0 }) })
        let bits = plan.output("y").map(\.bitPattern)
        return (0..<images.count).map { Array(bits[$0 * 10..<($0 + 1) * 10]) }
    }

    @Test func sameBitsInEveryRun() throws {
        let graph = try Self.network().specialized(inputShapes: ["x": [3, 3, 8, 8]])
        let plan = try Plan(graph, weights: WeightStore())
        let images = (0..<3).map { Self.image($0) }
        let first = try Self.scores(plan, images)
        _ = try Self.scores(plan, (10..<13).map { Self.image($0) })
        #expect(try Self.scores(plan, images) == first)
    }

    /// A sample's scores do not depend on where in the tile it is, nor on its neighbours.
    @Test func sameBitsAtEveryPlaceInATile() throws {
        let graph = try Self.network().specialized(inputShapes: ["x": [5, 3, 8, 8]])
        let plan = try Plan(graph, weights: WeightStore())
        let others = (1..<5).map { Self.image($0) }
        let first = try Self.scores(plan, [Self.image(0)] + others)[0]
        for place in 1..<5 {
            var images = Array(others.reversed())
            images.insert(Self.image(0), at: place)
            #expect(try Self.scores(plan, images)[place] == first, "place \(place)")
        }
    }

    @Test func sameBitsOnEveryThread() async throws {
        let graph = try Self.network().specialized(inputShapes: ["x": [2, 3, 8, 8]])
        let weights = WeightStore()
        let images = [Self.image(0), Self.image(1)]
        let found = try await withThrowingTaskGroup(of: [[UInt32]].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let plan = try Plan(graph, weights: weights)
                    return try Self.scores(plan, images)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(found).count == 1)
    }

    /// Fusing changes no more than the order of the additions, observing nothing at all.
    @Test func observingChangesNothing() throws {
        let graph = try Self.network().specialized(inputShapes: ["x": [2, 3, 8, 8]])
        let images = [Self.image(0), Self.image(1)]
        let taps: Set = ["b", "d", "y"]
        let first = try Self.scores(try Plan(graph, weights: WeightStore(), taps: taps), images)
        #expect(try Self.scores(try Plan(graph, weights: WeightStore(), taps: taps), images) == first)
        #expect(try Self.scores(try Plan(graph, weights: WeightStore()), images) == first)
    }

    @Test func anotherThreadMayNotRunAPlan() async {
        await #expect(processExitsWith: .failure) {
            let graph = try Self.network().specialized(inputShapes: ["x": [1, 3, 8, 8]])
            nonisolated(unsafe) let plan = try Plan(graph, weights: WeightStore())
            let thread = Thread {
                _ = try? Self.scores(plan, [Self.image(0)])
                exit(0)
            }
            thread.start()
            sleep(60)
        }
    }

    @Test func integersAreRefusedByName() throws {
        let graph = Graph(
            name: "integers", inputs: [ValueInfo(name: "x", elementType: .int64, dimensions: nil)],
            outputs: [ValueInfo(name: "y", elementType: .int64, dimensions: nil)],
            nodes: [Node(name: "identity", opType: "Identity", inputs: ["x"], outputs: ["y"])], constants: [:],
            opsetVersion: 17)
        let specialized = try graph.specialized(inputShapes: ["x": [2]])
        #expect(throws: ExecutionError(.unsupportedForm, tensor: "x", expected: "float32", found: "int64")) {
            _ = try Plan(specialized, weights: WeightStore())
        }
    }

    @Test func networkWithoutNodes() throws {
        let x = ValueInfo(name: "x", elementType: .float32, dimensions: nil)
        let graph = Graph(name: "none", inputs: [x], outputs: [x], nodes: [], constants: [:], opsetVersion: 17)
        let plan = try Plan(try graph.specialized(inputShapes: ["x": [2]]), weights: WeightStore())
        try plan.run(feed: { _, place in _ = place.update(fromContentsOf: [3, 4]) })
        #expect(Array(plan.output("x")) == [3, 4])
    }

    @Test func inputThatNobodyUsesAndScalars() throws {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "scalars", inputs: [info("x"), info("unused")], outputs: [info("y")],
            nodes: [
                Node(name: "add", opType: "Add", inputs: ["x", "two"], outputs: ["sum"]),
                Node(name: "relu", opType: "Relu", inputs: ["sum"], outputs: ["y"]),
            ], constants: ["two": Tensor(scalar: Float(2))], opsetVersion: 17)
        let specialized = try graph.specialized(inputShapes: ["x": [], "unused": [3]])
        let plan = try Plan(specialized, weights: WeightStore())
        try plan.run(feed: { name, place in place.update(repeating: name == "x" ? 1.5 : .nan) })
        #expect(Array(plan.output("y")) == [3.5])
    }

    /// A network for no samples computes nothing, and does not fail.
    @Test func noSamples() throws {
        let graph = try Self.network().specialized(inputShapes: ["x": [0, 3, 8, 8]])
        let plan = try Plan(graph, weights: WeightStore())
        try plan.run(feed: { _, place in #expect(place.isEmpty) })
        #expect(plan.output("y").isEmpty)
    }
}
