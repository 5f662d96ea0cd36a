import Graph
import Nodes
import Operators
import Primitives
import Tensors

/// A graph with its gradients, compiled for one set of input shapes: the forward pass, the caller's loss, the backward pass,
/// over one arena. Belongs to the thread that made it, and computes on that thread alone. A run is a pure function of what it
/// is fed: sums are taken in an order that the graph alone decides.
public final class TrainingPlan {
    /// Bytes of the memory that values and gradients share.
    public var arenaByteCount: Int { program.arenaByteCount }
    private let program: Program
    /// Those of float32 and all others, in the graph's order.
    private let inputs: [(name: String, elements: UnsafeMutableBufferPointer<Float>)]
    private let typedInputs: [(name: String, place: Plan.TypedPlace)]
    private let outputs: [String: UnsafeBufferPointer<Float>]
    private let outputGradients: [String: UnsafeMutableBufferPointer<Float>]
    private let gradients: [String: UnsafeBufferPointer<Float>]
    /// A not-a-number that no computation makes: where a place still begins with it, nobody has written there.
    private static let unwritten: UInt32 = 0x7FA5_5A5A

    /// - Parameters:
    ///   - parameters: constants of the graph that are trained: fed in every run, and whose gradients are computed.
    ///   - taps: values shown in the forward pass (which may be changed in place) and, where a gradient reaches them, in the
    ///     backward pass. Only values that depend on a parameter have a gradient.
    ///   - gradientTaps: taps whose gradients are computed even if no parameter lies before them.
    ///   - batchStatistics: outputs of batch normalizations that compute with the mean and variance of their input instead
    ///     of the running ones; the gradient flows through these statistics.
    ///   - inputGradients: also compute the gradients of the graph's inputs.
    ///   - weights: where constants that are not trained are kept.
    /// - Throws: `ExecutionError` `.inputMismatch` for a parameter that is no float32 constant of the graph,
    ///   `.unsupportedForm` naming the node that cannot be compiled or whose gradient is needed and not known.
    public init(
        _ graph: SpecializedGraph, parameters: Set<String>, taps: Set<String> = [], gradientTaps: Set<String> = [],
        batchStatistics: Set<String> = [], inputGradients: Bool = false, weights: WeightStore = WeightStore()
    ) throws {
        try ComputeLibrary.pinDefault()
        ComputeLibrary.prepareThread()
        for name in parameters.sorted() where graph.constants[name]?.elementType != .float32 {
            throw ExecutionError(
                .inputMismatch, tensor: name, expected: "a float32 constant of the graph",
                found: graph.constants[name]?.elementType.rawValue ?? "none")
        }
        if let node = graph.remainder?.graph.nodes.first {
            throw ExecutionError(
                .unsupportedForm, node: node.name, opType: node.opType,
                expected: "what shapes decide, where gradients are computed", found: "what values decide")
        }
        var fed = graph
        for name in parameters { fed.constants[name] = nil }
        let isFloat = { (name: String) in graph.types[name].map { $0.elementType == .float32 } ?? true }
        let floatInputs = graph.inputs.filter(isFloat)
        let wanted = parameters.union(inputGradients ? Set(floatInputs) : []).union(gradientTaps.intersection(taps))
        let needed = Self.dependents(of: wanted, in: fed)
        let units = fed.steps.map { Unit(node: $0.node, operator: $0.operator, outputs: $0.node.outputs) }
        let kept = units.filter { unit in
            (unit.operator as? any DifferentiableOperator)?.gradientReadsOutput(unit, in: fed) == true
        }
        let tape = Tape(
            parameters: parameters, batchStatistics: batchStatistics,
            keptBeforeTap: Set(kept.map { $0.outputs[0] }).intersection(taps).intersection(needed))
        let builder = PlanBuilder(
            graph: fed, units: units, weights: weights, taps: taps, tape: tape, engine: try Engine())

        let entries = try floatInputs.map { ($0, try builder.defineInput($0)) }
        let typed = try graph.inputs.filter { !isFloat($0) }.map { ($0, try builder.defineTyped($0)) }
        for unit in units { try builder.add(unit) }
        var results: [String: Operand] = [:]
        for output in graph.outputs where isFloat(output) { results[output] = try builder.plainOperand(output) }
        let backward = try BackwardPass(
            behind: builder, tape, units, needed: needed, results: results, inputGradients: inputGradients)
        let program = try Program(
            builder, entries: entries.map(\.1.buffer) + typed.map(\.1.buffer),
            results: (Array(results.values) + Array(backward.gradients.values)).map(\.buffer))
        self.program = program
        inputs = entries.map { ($0, program.logicalElements($1)) }
        typedInputs = typed.map { ($0, Plan.TypedPlace(type: $1.type, bytes: program.bytes($1))) }
        outputs = results.mapValues { UnsafeBufferPointer(program.logicalElements($0)) }
        outputGradients = backward.seeds.mapValues { program.logicalElements($0) }
        gradients = backward.gradients.mapValues { UnsafeBufferPointer(program.logicalElements($0)) }
    }

    /// Computes the graph and its gradients once. Must be called on the thread that made the plan.
    /// - Parameters:
    ///   - feed: writes the elements of each input of float32, row-major, into its place.
    ///   - typed: does so for inputs of other types.
    ///   - parameter: writes the elements of each parameter, row-major; called in the order of first use.
    ///   - tap: receives each tapped value right after it is computed.
    ///   - statistics: receives what each of the `batchStatistics` has found, in the order of the forward pass.
    ///   - loss: reads `output` and writes `outputGradient`, which is zero before.
    ///   - gradientTap: receives the gradient of the loss with respect to each tapped value as its consumers saw it, before it
    ///     flows on to the producer; the receiver may change it in place, but zero that fills up the layout must stay zero.
    ///     `elements[i]` belongs to what was `elements[i]` of the forward tap.
    ///   - gradient: receives the gradient of each parameter, row-major, as soon as it is finished: those of the last layers
    ///     first, in the order of `parameterOrder`.
    /// - Throws: `ExecutionError` `.inputMismatch` where an input or a parameter is not written.
    public func run(
        feed: (String, UnsafeMutableBufferPointer<Float>) throws -> Void,
        typed: (String, Plan.TypedPlace) throws -> Void = { name, place in
            throw ExecutionError(
                .inputMismatch, tensor: name, expected: "elements of \(place.type.elementType)", found: "none")
        },
        parameter: (String, UnsafeMutableBufferPointer<Float>) throws -> Void,
        tap: (Plan.Tap) throws -> Void = { _ in },
        statistics: (BatchStatistics) throws -> Void = { _ in },
        loss: (TrainingPlan) throws -> Void,
        gradientTap: (Plan.Tap) throws -> Void = { _ in },
        gradient: (String, UnsafeBufferPointer<Float>) throws -> Void = { _, _ in }
    ) throws {
        program.checkThread()
        for (name, elements) in inputs { try Self.write(name, elements, feed) }
        for (name, place) in typedInputs { try typed(name, place) }
        try program.run { event in
            switch event {
            case .parameter(let name, let elements): try Self.write(name, elements, parameter)
            case .tap(let value): try tap(value)
            case .statistics(let found): try statistics(found)
            case .loss:
                for elements in outputGradients.values { elements.update(repeating: 0) }
                try loss(self)
            case .gradientTap(let value): try gradientTap(value)
            case .gradient(let name, let elements): try gradient(name, elements)
            }
        }
    }

    /// The elements of a graph output of float32, row-major, from the loss on. Valid until the next run and as long as the plan lives.
    public func output(_ name: String) -> UnsafeBufferPointer<Float> {
        guard let elements = outputs[name] else { preconditionFailure("the plan's graph has no output \(name)") }
        return elements
    }

    /// Where the loss writes its gradient with respect to a graph output, row-major. Only to be used by the loss.
    public func outputGradient(_ name: String) -> UnsafeMutableBufferPointer<Float> {
        guard let elements = outputGradients[name] else {
            preconditionFailure("the plan's graph has no output \(name)")
        }
        return elements
    }

    /// The gradient of a parameter, or of an input where those are computed, after a run: row-major, summed over the samples
    /// of the plan. Valid until the next run and as long as the plan lives.
    public func gradient(_ parameterOrInput: String) -> UnsafeBufferPointer<Float> {
        guard let elements = gradients[parameterOrInput] else {
            preconditionFailure("the plan computes no gradient of \(parameterOrInput)")
        }
        return elements
    }

    /// oneDNN's implementation names in order, for profiles.
    package var implementations: [String] { program.implementations }

    /// Called after each step of a run with what it did, for profiles.
    package var observer: ((String) -> Void)? {
        get { program.observer }
        set { program.observer = newValue }
    }

    /// The values of a graph that depend on one of the given ones, these included.
    private static func dependents(of values: Set<String>, in graph: SpecializedGraph) -> Set<String> {
        var result = values
        for step in graph.steps where !result.isDisjoint(with: step.node.inputs) {
            result.formUnion(step.node.outputs.filter { !$0.isEmpty })
        }
        return result
    }

    /// The order in which the gradients of parameters are finished: that of their first uses, backwards. Parameters that no
    /// node uses come last.
    public static func parameterOrder(_ parameters: Set<String>, in graph: Graph) -> [String] {
        var order: [[String]] = []
        var seen: Set<String> = []
        for node in graph.nodes {
            order.append(node.inputs.filter { parameters.contains($0) && seen.insert($0).inserted })
        }
        return order.reversed().flatMap(\.self) + parameters.subtracting(seen).sorted()
    }

    private static func write(
        _ name: String, _ elements: UnsafeMutableBufferPointer<Float>,
        _ body: (String, UnsafeMutableBufferPointer<Float>) throws -> Void
    ) throws {
        guard !elements.isEmpty else { return try body(name, elements) }
        elements[0] = Float(bitPattern: unwritten)
        try body(name, elements)
        guard elements[0].bitPattern != unwritten else {
            throw ExecutionError(.inputMismatch, tensor: name, expected: "\(elements.count) elements", found: "none")
        }
    }
}

@available(*, unavailable)
extension TrainingPlan: Sendable {}
