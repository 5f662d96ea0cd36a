import Execution
import Foundation
import Graph
import Nodes
import Operators
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

    /// Values of other types than float32 are computed by the operators' definitions.
    @Test func integersAndTruthValues() throws {
        var graph = Graph(
            name: "integers", inputs: [ValueInfo(name: "x", elementType: .int64, dimensions: nil)],
            outputs: ["y", "z", "more"].map { ValueInfo(name: $0, elementType: .int64, dimensions: nil) },
            nodes: [
                Node(name: "add", opType: "Add", inputs: ["x", "one"], outputs: ["y"]),
                Node(name: "more", opType: "Greater", inputs: ["y", "three"], outputs: ["more"]),
                Node(name: "which", opType: "Where", inputs: ["more", "half", "none"], outputs: ["z"]),
            ], constants: [:], opsetVersion: 17)
        graph.constants = [
            "one": Tensor(shape: [1], [Int64(1)]), "three": Tensor(scalar: Int64(3)),
            "half": Tensor(scalar: Float(0.5)), "none": Tensor(scalar: Float(-1)),
        ]
        let specialized = try graph.specialized(inputShapes: ["x": [4]])
        let plan = try Plan(specialized, weights: WeightStore())
        try plan.run(
            feed: { _, _ in },
            typed: { name, place in
                #expect(name == "x" && place.type == ValueType(.int64, [4]))
                place.bytes.copyBytes(from: [Int64(0), 1, 2, 1 << 40].withUnsafeBytes { Array($0) })
            })
        #expect(Array(plan.typedOutput("y").bytes.bindMemory(to: Int64.self)) == [1, 2, 3, (1 << 40) + 1])
        #expect(Array(plan.typedOutput("more").bytes) == [0, 0, 0, 1])
        #expect(Array(plan.output("z")) == [-1, -1, -1, 0.5])
        #expect(throws: ExecutionError(.inputMismatch, tensor: "x", expected: "elements of int64", found: "none")) {
            try plan.run(feed: { _, _ in })
        }
    }

    /// An addition is not fused behind a convolution that comes before what is added, whatever computes that.
    @Test func anAddendThatIsComputedByItsDefinition() throws {
        let x = ValueInfo(name: "x", elementType: .float32, dimensions: nil)
        let y = ValueInfo(name: "y", elementType: .float32, dimensions: nil)
        let graph = Graph(
            name: "pyramid", inputs: [x], outputs: [y],
            nodes: [
                Node(name: "conv", opType: "Conv", inputs: ["x", "w"], outputs: ["c"]),
                Node(name: "up", opType: "Resize", inputs: ["x", "", "scales"], outputs: ["r"]),
                Node(
                    name: "down", opType: "MaxPool", inputs: ["r"], outputs: ["p"],
                    attributes: [
                        "kernel_shape": .ints([2, 2]), "strides": .ints([2, 2]),
                    ]),
                Node(name: "again", opType: "Resize", inputs: ["p", "", "ones"], outputs: ["a"]),
                Node(name: "add", opType: "Add", inputs: ["c", "a"], outputs: ["s"]),
                Node(name: "relu", opType: "Relu", inputs: ["s"], outputs: ["y"]),
            ],
            constants: [
                "w": Tensor(shape: [1, 1, 1, 1], [Float(2)]), "scales": Tensor(shape: [4], [Float(1), 1, 2, 2]),
                "ones": Tensor(shape: [4], [Float(1), 1, 1, 1]),
            ], opsetVersion: 17)
        let plan = try Plan(try graph.specialized(inputShapes: ["x": [1, 1, 2, 2]]), weights: WeightStore())
        try plan.run(feed: { _, place in _ = place.update(fromContentsOf: [1, -2, 3, 4]) })
        #expect(Array(plan.output("y")) == [3, 0, 9, 12])
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
