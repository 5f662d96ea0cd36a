import Execution
import Graph
import Tensors
import Testing

/// Gradients of random networks, some of whose values are tapped and changed, against difference quotients that the
/// interpreter computes in `Double`. Each failure names the seed; `RandomGraph(seed:)` draws the same network again.
struct RandomGradientTests {
    /// What a tap does to every element, and so what a gradient tap must do to the gradient.
    static let factor = 0.75
    static let step = 1e-6

    @Test(arguments: UInt64(0)..<20)
    func gradientsAgreeWithInterpreter(_ seed: UInt64) throws {
        let drawn = RandomGraph(seed: seed)
        let graph = try drawn.graph.specialized(inputShapes: drawn.inputs.mapValues(\.shape))
        let network = NetworkWithGradients(graph, drawn.inputs)
        var random = CounterRandom(key: 0x6772_6164, seed)
        let taps = Set(graph.variables.sorted().filter { _ in Bool.random(using: &random) })
        let plan = try network.plan(taps: taps)

        // The gradient along all ones does not depend on the layout.
        var sums: [String: Double] = [:]
        try network.run(
            plan, tap: { tap in for index in tap.elements.indices { tap.elements[index] *= Float(Self.factor) } },
            gradientTap: { tap in
                #expect(sums[tap.name] == nil)
                sums[tap.name] = tap.elements.reduce(0) { $0 + Double($1) }
                for index in tap.elements.indices { tap.elements[index] *= Float(Self.factor) }
            })

        let oracle = Oracle(network: network, taps: taps)
        for variable in network.variables {
            let gradient = plan.gradient(variable)
            let direction = (0..<gradient.count).map { _ in Double(random.normal()) }
            let terms = zip(gradient, direction).map { Double($0) * $1 }
            guard let slope = try oracle.slope(variable, along: direction, afterTap: false) else { continue }
            check(terms.reduce(0, +), slope, terms.map(abs).reduce(0, +), "gradient of \(variable)", seed)
        }
        for name in taps.sorted().prefix(4) {
            let count = try #require(graph.types[name]).shape.count
            let ones = [Double](repeating: 1, count: count)
            guard let slope = try oracle.slope(name, along: ones, afterTap: true) else { continue }
            check(sums[name] ?? 0, slope, Double(count), "gradient tap of \(graph.description(of: name))", seed)
        }
    }

    /// - Parameter scale: the sum of magnitudes that the value is a sum of.
    private func check(_ found: Double, _ expected: Double, _ scale: Double, _ what: String, _ seed: UInt64) {
        if abs(found - expected) > 2e-5 * max(abs(expected), scale, 1) {
            Issue.record("seed \(seed): \(what) is \(found), the interpreter's difference quotient \(expected)")
        }
    }

    /// Difference quotients by the interpreter.
    private struct Oracle {
        let network: NetworkWithGradients
        let taps: Set<String>
        let interpreter: ReferenceInterpreter
        let fed: [String: Tensor]

        init(network: NetworkWithGradients, taps: Set<String>) {
            self.network = network
            self.taps = taps
            interpreter = ReferenceInterpreter(graph: network.graph)
            var fed: [String: Tensor] = [:]
            for (name, elements) in network.values {
                fed[name] = network.graph.types[name].map { Tensor(shape: $0.shape, elements) }
            }
            self.fed = fed
        }

        /// Nil where the slope to one side differs from that to the other: Relu of Relu has many elements at its kink.
        func slope(_ name: String, along direction: [Double], afterTap: Bool) throws -> Double? {
            func loss(_ offset: Double) throws -> Double {
                func moved(_ value: ReferenceInterpreter.Value) -> ReferenceInterpreter.Value {
                    .init(value.shape, zip(value.elements, direction).map { $0 + offset * $1 })
                }
                let values = try interpreter.values(for: fed) { current, value in
                    var value = value
                    if current == name, !afterTap { value = moved(value) }
                    if taps.contains(current) {
                        value = .init(value.shape, value.elements.map { $0 * RandomGradientTests.factor })
                    }
                    return current == name && afterTap ? moved(value) : value
                }
                return try network.graph.outputs.reduce(0.0) { sum, output in
                    let projection = try #require(network.projections[output])
                    let elements = try #require(values[output]).elements
                    return sum + zip(elements, projection).reduce(0.0) { $0 + $1.0 * Double($1.1) }
                }
            }
            let step = RandomGradientTests.step
            let (above, middle, below) = (try loss(step), try loss(0), try loss(-step))
            let sides = ((above - middle) / step, (middle - below) / step)
            return abs(sides.0 - sides.1) > 1e-3 * max(abs(sides.0), 1) ? nil : (above - below) / (2 * step)
        }
    }
}
