import Execution
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Tensors
import Testing

/// The gradient of every operator form against central differences, on the networks of Tests/Golden/Execution. The loss is a
/// random projection of all outputs. Inputs and constants are moved off the multiples of 1/16 that the files hold, where many
/// kinks lie; elements whose slope to the left differs from that to the right are left out.
struct OperatorGradientTests {
    /// Gradients may differ by this part of the largest element of the same array: float32 rounding over the step, and the
    /// third derivative.
    static let tolerance = 2e-3

    @Test(arguments: OperatorGoldenTests.cases)
    func gradientsAgreeWithCentralDifferences(_ name: String) throws {
        var network = try NetworkWithGradients(named: name)
        var random = CounterRandom(key: 3)
        let plan = try network.plan()
        try network.run(plan)
        let gradients = Dictionary(uniqueKeysWithValues: network.variables.map { ($0, Array(plan.gradient($0))) })

        var (compared, skipped) = (0, 0)
        for variable in network.variables {
            let gradient = try #require(gradients[variable])
            let error = Self.tolerance * max(Double(gradient.map(abs).max() ?? 0), 0.1)
            for index in Self.picks(gradient.count, &random) {
                let (slope, isKink) = try network.slope(plan, variable, index, error: error)
                if isKink {
                    skipped += 1
                    continue
                }
                compared += 1
                #expect(
                    abs(slope - Double(gradient[index])) <= error,
                    "\(name): d loss / d \(variable)[\(index)] is \(gradient[index]), the difference quotient \(slope)")
            }
        }
        #expect(2 * compared > skipped, "\(name): \(skipped) kinks, \(compared) comparisons")
    }

    /// Tapping every value changes neither gradients (beyond rounding: some are computed from inputs instead of outputs then)
    /// nor the zeros that fill up layouts, and each gradient has the layout of its value.
    @Test(arguments: OperatorGoldenTests.cases)
    func tapsDoNotChangeGradients(_ name: String) throws {
        let network = try NetworkWithGradients(named: name)
        let plain = try network.plan()
        try network.run(plain)
        let graph = network.graph
        let values = Set(graph.inputs + graph.steps.flatMap(\.node.outputs).filter { !$0.isEmpty })
        let tapped = try network.plan(taps: values)
        var counts: [String: [Int]] = [:]
        try network.run(
            tapped, tap: { counts[$0.name] = [$0.elements.count, $0.layoutZeros] },
            gradientTap: { tap in
                #expect(counts[tap.name] == [tap.elements.count, tap.layoutZeros])
                let (zeros, isFinite) = (tap.elements.count { $0 == 0 }, tap.elements.allSatisfy(\.isFinite))
                #expect(zeros >= tap.layoutZeros && isFinite, "\(name): gradient of \(tap.name)")
            })
        for variable in network.variables {
            let scale = plain.gradient(variable).map(abs).max() ?? 0
            for (a, b) in zip(plain.gradient(variable), tapped.gradient(variable)) {
                #expect(abs(a - b) <= 1e-5 * max(scale, 1e-3), "\(name): gradient of \(variable)")
            }
        }
    }

    /// All elements of small arrays, some of large ones.
    static func picks(_ count: Int, _ random: inout CounterRandom) -> [Int] {
        count <= 10 ? Array(0..<count) : (0..<10).map { _ in Int.random(in: 0..<count, using: &random) }
    }
}

/// A network of Tests/Golden/Execution whose inputs and constants are all differentiated.
struct NetworkWithGradients {
    let graph: SpecializedGraph
    /// Inputs, then parameters.
    let variables: [String]
    var values: [String: [Float]] = [:]
    /// The gradient of the loss with respect to each output.
    var projections: [String: [Float]] = [:]

    init(named name: String) throws {
        let folder = OperatorGoldenTests.folder
        let graph = try Graph(importing: ONNXFile.read(folder.appendingPathComponent("\(name).onnx")))
        let arrays = Dictionary(
            uniqueKeysWithValues: try NPZ.read(folder.appendingPathComponent("\(name).npz")).map {
                ($0.name, $0.tensor)
            })
        var shapes: [String: Shape] = [:]
        for input in graph.inputs { shapes[input.name] = try #require(arrays[input.name]).shape }
        self.init(try graph.specialized(inputShapes: shapes), arrays)
    }

    init(_ graph: SpecializedGraph, _ arrays: [String: Tensor]) {
        self.graph = graph
        // What must be known when the graph is compiled is no parameter, and neither are a batch norm's statistics.
        var fixed: Set<String> = []
        for step in graph.steps {
            switch step.node.opType {
            case "Clip", "Pad", "Dropout", "Resize", "Upsample": fixed.formUnion(step.node.inputs.dropFirst())
            // The power of a negative number has no derivative by the exponent.
            case "Pow" where arrays[step.node.inputs[0]]?.elements(as: Float.self).contains { $0 < 0 } == true:
                fixed.insert(step.node.inputs[1])
            case "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss": fixed.formUnion(step.node.inputs.dropFirst(2))
            case "BatchNormalization": fixed.formUnion(step.node.inputs.dropFirst(3))
            // Regions have no gradient.
            case "MaxRoiPool", "RoiAlign": fixed.formUnion(step.node.inputs.dropFirst())
            default: break
            }
        }
        let parameters = graph.constants.filter { name, tensor in
            tensor.elementType == .float32 && !fixed.contains(name)
                && tensor.elements(as: Float.self).allSatisfy { $0.magnitude < 1e30 }
        }
        variables = graph.inputs + parameters.keys.sorted()
        var random = CounterRandom(key: 3)
        for name in variables {
            guard let tensor = arrays[name] ?? graph.constants[name] else { continue }
            // Large constants (scales of Softmax's inputs, for example) move in proportion.
            values[name] = tensor.elements(as: Float.self).map {
                $0 * (1 + 0.01 * random.uniform()) + 0.02 * (1 + random.uniform())
            }
        }
        for name in graph.outputs {
            let count = graph.types[name]?.shape.count ?? 0
            projections[name] = (0..<count).map { _ in random.normal() }
        }
    }

    func plan(taps: Set<String> = []) throws -> TrainingPlan {
        try TrainingPlan(
            graph, parameters: Set(variables.dropFirst(graph.inputs.count)), taps: taps, inputGradients: true)
    }

    /// - Returns: the loss.
    @discardableResult
    func run(
        _ plan: TrainingPlan, tap: (Plan.Tap) throws -> Void = { _ in },
        gradientTap: (Plan.Tap) throws -> Void = { _ in }
    ) throws -> Double {
        var loss = 0.0
        func write(_ name: String, _ place: UnsafeMutableBufferPointer<Float>) throws {
            _ = place.update(fromContentsOf: try #require(values[name]))
        }
        try plan.run(
            feed: write, parameter: write, tap: tap,
            loss: { plan in
                for name in graph.outputs {
                    let projection = try #require(projections[name])
                    _ = plan.outputGradient(name).update(fromContentsOf: projection)
                    for (a, b) in zip(plan.output(name), projection) { loss += Double(a) * Double(b) }
                }
            }, gradientTap: gradientTap)
        return loss
    }

    /// The loss's slope along one element by central differences over several steps, extrapolated, and whether there is a kink
    /// within the larger step.
    /// - Parameter error: how exact the slope shall be.
    mutating func slope(
        _ plan: TrainingPlan, _ variable: String, _ index: Int, error: Double, tap: (Plan.Tap) throws -> Void = { _ in }
    ) throws -> (slope: Double, isKink: Bool) {
        let original = try #require(values[variable]?[index])
        func loss(_ offset: Float) throws -> Double {
            var moved = self
            moved.values[variable]?[index] = original + offset
            return try moved.run(plan, tap: tap)
        }
        // Steps that are exact in float32.
        let step = (original + 1.6e-2 * max(1, abs(original))) - original
        let middle = try loss(0)
        var slopes: [Double] = []
        var bends: [Double] = []
        for step in [step, step / 2, step / 4] {
            let (above, below) = (try loss(step), try loss(-step))
            slopes.append((above - below) / (2 * Double(step)))
            bends.append((above + below - 2 * middle) / Double(step))
        }
        // Where the loss is smooth the sides' slopes differ by the curvature times the step. A kink at a third of a step goes
        // unnoticed from that step to its half, but not from there on.
        let isKink = zip(bends, bends.dropFirst()).contains { abs($0 - 2 * $1) > error / 2 }
        return ((4 * slopes[1] - slopes[0]) / 3, isKink)
    }
}
