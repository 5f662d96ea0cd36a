import Graph
import Tensors

/// What a plan computes behind its own steps: a graph whose nodes ask for the value of what the steps give. It is specialized
/// and compiled in every run, for the values of that run, and perhaps leaves a remainder again.
struct Continuation {
    private let remainder: SpecializedGraph.Remainder
    private let weights: WeightStore
    private let taps: Set<String>

    /// - Parameters:
    ///   - weights: for constants that are the same in every run.
    ///   - taps: values that each run shows to the caller.
    init(_ remainder: SpecializedGraph.Remainder, weights: WeightStore, taps: Set<String>) {
        self.remainder = remainder
        self.weights = WeightStore(over: weights, sharing: Array(remainder.graph.constants.values))
        self.taps = taps
    }

    /// Outputs of the steps before that it takes.
    var inputs: [String] { remainder.graph.inputs.map(\.name) }

    /// - Parameter values: of all inputs.
    /// - Returns: the outputs of the graph that the steps did not give.
    /// - Throws: `GraphError` for values that the graph does not take, `ExecutionError`.
    func run(_ values: [String: Tensor], tap: (Plan.Tap) throws -> Void) throws -> [String: Tensor] {
        var (remainder, values) = (remainder, values)
        var outputs: [String: Tensor] = [:]
        while true {
            var graph = try remainder.specialized(values)
            let next = graph.remainder
            graph.remainder = nil
            // A value is shown once, by the steps that compute it. What is laid out for this run alone goes with it.
            let plan = try Plan(graph, weights: weights.forOneRun(), taps: taps.subtracting(graph.inputs))
            try plan.run(
                feed: { name, place in
                    values[name]?.withUnsafeElements(as: Float.self) { _ = place.update(fromContentsOf: $0) }
                },
                typed: { name, place in values[name]?.withUnsafeBytes { place.bytes.copyMemory(from: $0) } }, tap: tap)
            let wanted = Set(next?.graph.inputs.map(\.name) ?? [])
            for name in graph.outputs where !wanted.contains(name) || remainder.graph.isOutput(name) {
                outputs[name] = plan.copy(of: name)
            }
            guard let next else { return outputs }
            values = wanted.reduce(into: [:]) { $0[$1] = plan.copy(of: $1) }
            remainder = next
        }
    }
}
