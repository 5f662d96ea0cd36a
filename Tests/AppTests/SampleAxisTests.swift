import App
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Passes
import Tensors
import TestSupport
import Testing

/// Which models keep the samples of a batch apart, by ONNX Runtime, and what is made of those that do not.
@Suite struct SampleAxisTests {
    static let names =
        (try? FileManager.default.contentsOfDirectory(atPath: goldenFolder("SampleAxis").path))?
        .filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted() ?? []

    /// The graph and the arrays x (a batch), y (what ONNX Runtime gives for it) and apart (1 or 0).
    private func load(_ name: String) throws -> (graph: Graph, arrays: [String: Tensor]) {
        let folder = goldenFolder("SampleAxis")
        let arrays = try NPZ.read(folder.appendingPathComponent(name + ".npz"))
        return (
            try Graph(importing: ONNXFile.read(folder.appendingPathComponent(name + ".onnx"))).foldingConstants(),
            Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0.tensor) })
        )
    }

    @Test func thereAreModelsOfBothKinds() throws {
        let apart = try names.filter { try load($0).arrays["apart"]?.elements(as: Float.self) == [1] }
        #expect(names.count >= 30 && apart.count >= 10 && names.count - apart.count >= 10)
    }

    private var names: [String] { Self.names }

    @Test(arguments: names) func inferenceGivesWhatTheWholeBatchGives(_ name: String) throws {
        let (graph, arrays) = try load(name)
        let x = try #require(arrays["x"])
        let expected = try #require(arrays["y"])
        let found = try Inference.compute(graph, ["x": x], nil)[0].tensor
        #expect(found.shape == expected.shape)
        let largest = expected.elements(as: Float.self).map(\.magnitude).max() ?? 0
        for (own, other) in zip(found.elements(as: Float.self), expected.elements(as: Float.self)) {
            #expect(abs(own - other) <= 1e-5 * max(largest, 1), "\(own), not \(other)")
        }
    }

    @Test(arguments: names) func theAnalysisAgreesWithONNXRuntime(_ name: String) throws {
        let (graph, arrays) = try load(name)
        let x = try #require(arrays["x"])
        let isApart = arrays["apart"]?.elements(as: Float.self) == [1]
        do {
            let positions = try graph.samplePositions(
                samples: ["x": Shape(Array(x.shape.dimensions.dropFirst()))], batch: x.shape[0])
            #expect((positions["y"]?.isRows == true) == isApart, "\(positions)")
        } catch let error as GraphError {
            // Not seen through: a Reshape that cuts the batch in halves and one that joins them again.
            #expect(!isApart || name == "reshaped_across", "\(error)")
            if error.code == .mixesSamples { #expect(error.node != nil, "\(error)") }
        }
    }

    /// For a random graph of operators that keep samples apart and such that do not, tiles give what the whole batch gives
    /// or are refused.
    @Test(arguments: 0..<400) func tilesAgreeWithTheWholeOrAreRefused(seed: UInt64) throws {
        var random = RandomMixture(seed: seed)
        let count = 6
        let x = Tensor(shape: [count, 4, 6], (0..<count * 24).map { _ in random.random.normal() })
        let graph = random.graph()
        guard let positions = try? graph.samplePositions(samples: ["x": [4, 6]], batch: 6),
            positions["y"]?.isRows == true
        else {
            return
        }
        let model = SharedModel(graph)
        let plan = try ModelLane(model, taps: []).run(whole: ["x": x])
        let whole = withExtendedLifetime(plan) { Array(plan.output("y")) }
        var tiles: [Float] = []
        try ModelLane(model, taps: []).run(
            SampleGroup(count: count, inputs: ["x": x]),
            tiles: stride(from: 0, to: count, by: 4).map { $0..<min($0 + 4, count) },
            outputs: { _, plan in tiles += plan.output("y") })
        try #require(tiles.count == whole.count)
        let largest = whole.map(\.magnitude).max() ?? 0
        for (own, other) in zip(tiles, whole) { #expect(abs(own - other) <= 1e-5 * max(largest, 1)) }
    }

    /// The mixture has enough of both kinds for the test above to mean something.
    @Test func theMixtureHasBothKinds() throws {
        let apart = (0..<400).count { seed in
            var random = RandomMixture(seed: UInt64(seed))
            return (try? random.graph().samplePositions(samples: ["x": [4, 6]], batch: 6))?["y"]?.isRows == true
        }
        #expect((80...320).contains(apart), "\(apart) of 400")
    }
}

/// Chains and joints of operators over x [n, 4, 6], drawn from a seed.
private struct RandomMixture {
    var random: CounterRandom
    private var built = Graph(name: "mixture", inputs: [], outputs: [], nodes: [], constants: [:], opsetVersion: 17)
    /// With the shape for 6 samples, which makes the operators fit; other numbers of samples may not.
    private var values: [(name: String, shape: [Int])] = [("x", [6, 4, 6])]
    private var count = 0

    init(seed: UInt64) { random = CounterRandom(key: 0x6d69_78, seed) }

    mutating func graph() -> Graph {
        built.inputs = [
            ValueInfo(name: "x", elementType: .float32, dimensions: [.symbolic("n"), .fixed(4), .fixed(6)])
        ]
        for _ in 0..<Int.random(in: 1...6, using: &random) { add() }
        built.nodes.append(
            Node(name: "last", opType: "Identity", inputs: [values[values.count - 1].name], outputs: ["y"]))
        built.outputs = [ValueInfo(name: "y", elementType: .float32, dimensions: nil)]
        return built
    }

    private mutating func define(
        _ kind: String, _ inputs: [String], _ shape: [Int], _ attributes: [String: Attribute] = [:]
    ) {
        count += 1
        built.nodes.append(
            Node(name: "n\(count)", opType: kind, inputs: inputs, outputs: ["v\(count)"], attributes: attributes))
        values.append(("v\(count)", shape))
    }

    private mutating func constant(_ tensor: Tensor) -> String {
        count += 1
        built.constants["c\(count)"] = tensor
        return "c\(count)"
    }

    private mutating func integers(_ values: [Int]) -> String {
        constant(Tensor(shape: [values.count], values.map(Int64.init)))
    }

    private mutating func add() {
        let (name, shape) = values[values.count - 1]
        let rank = shape.count
        let axis = Int.random(in: 0..<rank, using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        case 0: define("Relu", [name], shape)
        case 1: define("Softmax", [name], shape, ["axis": .int(axis)])
        case 2:
            let mean = "m\(count)"
            built.nodes.append(
                Node(
                    name: mean, opType: "ReduceMean", inputs: [name], outputs: [mean],
                    attributes: ["axes": .ints([axis]), "keepdims": .int(1)]))
            define("Sub", [name, mean], shape)
        case 3:
            let order = Array(0..<rank).shuffled(using: &random)
            define("Transpose", [name], order.map { shape[$0] }, ["perm": .ints(order)])
        case 4:
            // Two axes become one, or one that was two becomes them again.
            if rank > 2 {
                let merged = Int.random(in: 0..<rank - 1, using: &random)
                var target = shape
                target[merged] *= target.remove(at: merged + 1)
                var wanted = target
                // The first axis's extent is left open where it is one of samples.
                wanted[Int.random(in: 0..<wanted.count, using: &random)] = -1
                define("Reshape", [name, integers(wanted)], target)
            } else {
                define("Reshape", [name, integers([-1, 4, 6])], [shape.reduce(1, *) / 24, 4, 6])
            }
        case 5:
            let last = shape[rank - 1]
            let weight = Tensor(shape: [last, 5], (0..<last * 5).map { _ in random.normal() })
            define("MatMul", [name, constant(weight)], Array(shape.dropLast()) + [5])
        case 6:
            let step = Bool.random(using: &random) ? 1 : -1
            let (start, end) = step == 1 ? (0, Int.max) : (-1, Int.min)
            define("Slice", [name, integers([start]), integers([end]), integers([axis]), integers([step])], shape)
        case 7:
            var target = shape
            target[axis] *= 2
            define("Concat", [name, name], target, ["axis": .int(axis)])
        default:
            let sum = Tensor(
                shape: Shape(shape.enumerated().map { $0.offset == axis ? 1 : $0.element }),
                (0..<shape.reduce(1, *) / shape[axis]).map { _ in random.normal() })
            define("Add", [name, constant(sum)], shape)
        }
    }
}
