import Execution
import Graph
import Tensors
import Testing

/// Random networks against the interpreter: as compiled for speed (operators fused, memory shared, layouts blocked), and
/// with every value tapped. Each failure names the seed; `RandomGraph(seed:)` draws the same network again.
struct RandomGraphTests {
    static let seeds: Range<UInt64> = 0..<60

    @Test(arguments: seeds)
    func fusedPlanAgreesWithInterpreter(_ seed: UInt64) throws {
        let drawn = RandomGraph(seed: seed)
        let graph = try drawn.graph.specialized(inputShapes: drawn.inputs.mapValues(\.shape))
        let expected = try ReferenceInterpreter(graph: graph).values(for: drawn.inputs)
        let plan = try Plan(graph, weights: WeightStore())
        for _ in 0..<2 {
            try plan.run(drawn.inputs)
            for output in graph.outputs {
                try compare(Array(plan.output(output)), #require(expected[output]).elements, output, seed)
            }
        }
    }

    /// Nothing is fused, and each value's memory is shown: the value's elements in some order, and zeros.
    @Test(arguments: seeds)
    func tapsSeeWhatTheInterpreterComputes(_ seed: UInt64) throws {
        let drawn = RandomGraph(seed: seed)
        let graph = try drawn.graph.specialized(inputShapes: drawn.inputs.mapValues(\.shape))
        let expected = try ReferenceInterpreter(graph: graph).values(for: drawn.inputs)
        let plan = try Plan(graph, weights: WeightStore(), taps: graph.variables)
        var seen: [String] = []
        try plan.run(drawn.inputs) { tap in
            seen.append(tap.name)
            let value = try #require(expected[tap.name])
            #expect(tap.elements.count - tap.layoutZeros == value.elements.count)
            let zeros = [Double](repeating: 0, count: tap.layoutZeros)
            compare(
                tap.elements.sorted(), (value.elements + zeros).sorted(), "tap of \(graph.description(of: tap.name))",
                seed)
        }
        #expect(seen.count == Set(seen).count)
        #expect(Set(seen) == graph.variables, "seed \(seed)")
        for output in graph.outputs {
            try compare(Array(plan.output(output)), #require(expected[output]).elements, output, seed)
        }
    }

    /// A change that a tap makes is what all users of the value see, in whatever layout, and nobody else.
    @Test(arguments: seeds)
    func changesOfTapsReachEveryUser(_ seed: UInt64) throws {
        let drawn = RandomGraph(seed: seed)
        let graph = try drawn.graph.specialized(inputShapes: drawn.inputs.mapValues(\.shape))
        var random = CounterRandom(key: 0x7461_7073, seed)
        let taps = graph.variables.sorted().filter { _ in Bool.random(using: &random) }
        let expected = try ReferenceInterpreter(graph: graph).values(for: drawn.inputs) { name, value in
            taps.contains(name) ? .init(value.shape, value.elements.map { $0 * 0.75 }) : value
        }
        let plan = try Plan(graph, weights: WeightStore(), taps: Set(taps))
        try plan.run(drawn.inputs) { tap in
            for index in tap.elements.indices { tap.elements[index] *= 0.75 }
        }
        for output in graph.outputs {
            try compare(Array(plan.output(output)), #require(expected[output]).elements, output, seed)
        }
    }

    /// Equal within 2e-5 of the expected values' range: sums of different order in float32.
    private func compare(_ found: [Float], _ expected: [Double], _ what: String, _ seed: UInt64) {
        guard found.count == expected.count else {
            Issue.record("seed \(seed): \(what) has \(found.count) elements, not \(expected.count)")
            return
        }
        let range = max(expected.map(abs).max() ?? 0, 1)
        let wrong = found.indices.first { !(abs(Double(found[$0]) - expected[$0]) <= 2e-5 * range) }
        if let wrong {
            Issue.record("seed \(seed): \(what)[\(wrong)] is \(found[wrong]), the interpreter has \(expected[wrong])")
        }
    }
}

extension SpecializedGraph {
    /// Everything that changes with the inputs.
    var variables: Set<String> {
        Set(inputs + steps.flatMap(\.node.outputs).filter { !$0.isEmpty })
    }

    /// How the value is made, for messages.
    func description(of value: String) -> String {
        guard let node = steps.map(\.node).first(where: { $0.outputs.contains(value) }) else { return value }
        let inputs = node.inputs.map { "\($0) \(types[$0].map { "\($0.shape)" } ?? "")" }.joined(separator: ", ")
        return "\(node.outputs.joined(separator: ", ")) = \(node.opType)(\(inputs))"
    }
}

extension Plan {
    /// Computes the graph for whole inputs.
    func run(_ inputs: [String: Tensor], tap: (Tap) throws -> Void = { _ in }) throws {
        try run(
            feed: { name, place in
                let elements = try #require(inputs[name]).elements(as: Float.self)
                #expect(elements.count == place.count)
                _ = place.update(fromContentsOf: elements)
            }, tap: tap)
    }
}
