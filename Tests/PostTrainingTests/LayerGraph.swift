import Execution
import Graph
import Nodes
import Operators
import PostTraining
import Tensors

/// Small graphs of layers, built in code: the input `x` is [2, 3, 8, 8] unless told otherwise, outputs are `y` and what else is named.
struct LayerGraph {
    private(set) var graph: Graph
    var random: CounterRandom

    init(seed: UInt64 = 0, input: [Int] = [2, 3, 8, 8], outputs: [String] = ["y"]) {
        random = CounterRandom(key: 0x6c61_7965, seed)
        func info(_ name: String, _ extents: [Int]?) -> ValueInfo {
            ValueInfo(name: name, elementType: .float32, dimensions: extents.map { $0.map { .fixed($0) } })
        }
        graph = Graph(
            name: "layers", inputs: [info("x", input)], outputs: outputs.map { info($0, nil) }, nodes: [],
            constants: [:], opsetVersion: 17)
    }

    /// A node that is called as its type and its output.
    mutating func node(
        _ opType: String, _ inputs: String, _ outputs: String, _ attributes: [String: Attribute] = [:]
    ) {
        let outputs = outputs.split(separator: " ").map(String.init)
        graph.nodes.append(
            Node(
                name: "\(opType) \(outputs[0])", opType: opType,
                inputs: inputs.split(separator: " ").map { $0 == "-" ? "" : String($0) }, outputs: outputs,
                attributes: attributes))
    }

    mutating func constant(_ name: String, _ shape: Shape, _ values: [Float]) {
        graph.constants[name] = Tensor(shape: shape, values)
    }

    mutating func integers(_ name: String, _ values: [Int64]) {
        graph.constants[name] = Tensor(shape: [values.count], values)
    }

    /// Normal numbers; those of each index of an axis are e^-spread to e^spread times as large.
    mutating func constant(_ name: String, _ shape: Shape, axis: Int = 0, spread: Float = 0) {
        let inner = shape.dimensions.dropFirst(axis + 1).reduce(1, *)
        let factors = (0..<shape[axis]).map { _ in elementaryExponential((random.uniform() * 2 - 1) * spread) }
        constant(name, shape, (0..<shape.count).map { random.normal() * factors[$0 / inner % shape[axis]] })
    }

    /// With `<output>.w` and `<output>.b`.
    mutating func conv(
        _ input: String, _ output: String, from inputs: Int, to outputs: Int, kernel: Int = 1, groups: Int = 1,
        pads: Int = 0, spread: Float = 0
    ) {
        constant(
            "\(output).w", [outputs, inputs / groups, kernel, kernel], spread: spread)
        constant("\(output).b", [outputs])
        node(
            "Conv", "\(input) \(output).w \(output).b", output,
            ["group": .int(groups), "pads": .ints([pads, pads, pads, pads])])
    }

    /// All outputs for an input of normal numbers, one behind the other.
    static func outputs(of graph: Graph) throws -> [Float] {
        var shapes: [String: Shape] = [:]
        for input in graph.inputs {
            shapes[input.name] = Shape(
                (input.dimensions ?? []).map { if case .fixed(let extent) = $0 { extent } else { 1 } })
        }
        let plan = try Plan(try graph.specialized(inputShapes: shapes), weights: WeightStore())
        try plan.run(feed: { name, place in
            var random = CounterRandom(key: 0x696e_7075, 0)
            for index in place.indices { place[index] = random.normal() }
        })
        return graph.outputs.flatMap { plan.output($0.name) }
    }
}

/// e^x as the sum of its series, good for the few spreads that tests draw.
private func elementaryExponential(_ value: Float) -> Float {
    var (sum, term) = (1.0, 1.0)
    for index in 1..<40 {
        term *= Double(value) / Double(index)
        sum += term
    }
    return Float(sum)
}

/// The largest difference, relative to the largest magnitude of what is expected.
func relativeDifference(_ found: [Float], _ expected: [Float]) -> Float {
    guard found.count == expected.count, let largest = expected.map(\.magnitude).max() else { return .infinity }
    return (zip(found, expected).map { ($0 - $1).magnitude }.max() ?? 0) / max(largest, .leastNormalMagnitude)
}

/// The largest magnitude of each index of an axis.
func ranges(_ tensor: Tensor, axis: Int) -> [Double] {
    let inner = tensor.shape.dimensions.dropFirst(axis + 1).reduce(1, *)
    var ranges = [Double](repeating: 0, count: tensor.shape[axis])
    for (index, value) in tensor.elements(as: Float.self).enumerated() {
        let channel = index / inner % tensor.shape[axis]
        ranges[channel] = max(ranges[channel], Double(value.magnitude))
    }
    return ranges
}
