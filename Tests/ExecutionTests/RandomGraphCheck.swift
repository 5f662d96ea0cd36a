import Execution
import Graph
import Tensors
import Testing

/// A random network as compiled against the interpreter. Each check answers with what disagrees.
struct RandomGraphCheck {
    private let seed: UInt64
    private let graph: SpecializedGraph
    private let inputs: [String: Tensor]
    private let expected: [String: ReferenceInterpreter.Value]

    init(seed: UInt64) throws {
        self.seed = seed
        let drawn = RandomGraph(seed: seed)
        inputs = drawn.inputs
        graph = try drawn.graph.specialized(inputShapes: drawn.inputs.mapValues(\.shape))
        expected = try ReferenceInterpreter(graph: graph).values(for: inputs)
    }

    /// As compiled for speed, run twice.
    func fusedPlan() throws -> [String] {
        let plan = try Plan(graph, weights: WeightStore())
        return try (0..<2).flatMap { _ in
            try plan.run(inputs)
            return try outputs(of: plan, against: expected)
        }
    }

    /// Nothing is fused, and each value's memory is shown: the value's elements in some order, and zeros.
    func taps() throws -> [String] {
        let plan = try Plan(graph, weights: WeightStore(), taps: graph.variables)
        var disagreements: [String] = []
        var seen: [String] = []
        try plan.run(inputs) { tap in
            seen.append(tap.name)
            let value = try #require(expected[tap.name])
            let padded = value.elements + [Double](repeating: 0, count: tap.layoutZeros)
            disagreements += compare(
                tap.elements.sorted(), padded.sorted(), "tap of \(graph.description(of: tap.name))")
        }
        if seen.sorted() != graph.variables.sorted() { disagreements.append("seed \(seed): taps of \(seen)") }
        return try disagreements + outputs(of: plan, against: expected)
    }

    /// A change that a tap makes is what all users of the value see, in whatever layout, and nobody else.
    func changesOfTaps() throws -> [String] {
        var random = CounterRandom(key: 0x7461_7073, seed)
        let taps = graph.variables.sorted().filter { _ in Bool.random(using: &random) }
        let changed = try ReferenceInterpreter(graph: graph).values(for: inputs) { name, value in
            taps.contains(name) ? .init(value.shape, value.elements.map { $0 * 0.75 }) : value
        }
        let plan = try Plan(graph, weights: WeightStore(), taps: Set(taps))
        try plan.run(inputs) { tap in
            for index in tap.elements.indices { tap.elements[index] *= 0.75 }
        }
        return try outputs(of: plan, against: changed)
    }

    private func outputs(of plan: Plan, against expected: [String: ReferenceInterpreter.Value]) throws -> [String] {
        try graph.outputs.flatMap { output in
            compare(Array(plan.output(output)), try #require(expected[output]).elements, output)
        }
    }

    /// Equal within 2e-5 of the expected values' range: sums of different order in float32.
    private func compare(_ found: [Float], _ expected: [Double], _ what: String) -> [String] {
        guard found.count == expected.count else {
            return ["seed \(seed): \(what) has \(found.count) elements, not \(expected.count)"]
        }
        let range = max(expected.map(abs).max() ?? 0, 1)
        let wrong = found.indices.first { !(abs(Double(found[$0]) - expected[$0]) <= 2e-5 * range) }
        return wrong.map {
            ["seed \(seed): \(what)[\($0)] is \(found[$0]), the interpreter has \(expected[$0])"]
        } ?? []
    }
}
