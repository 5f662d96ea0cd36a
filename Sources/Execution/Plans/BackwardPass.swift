import Graph
import Primitives
import Tensors

/// The loss and the backward pass that stand behind the forward pass of a plan.
struct BackwardPass {
    /// Where the loss writes the gradients of outputs, row-major.
    let seeds: [String: Operand]
    /// Where the gradients asked for are found, row-major.
    let gradients: [String: Operand]

    /// Adds both to a plan.
    /// - Parameters:
    ///   - needed: values whose gradients are computed.
    ///   - results: the outputs in row-major order.
    ///   - inputGradients: whether the gradients of inputs are among those asked for.
    /// - Throws: `ExecutionError` naming the node whose gradient cannot be compiled.
    init(
        behind plan: PlanBuilder, _ tape: Tape, _ units: [Unit], needed: Set<String>, results: [String: Operand],
        inputGradients: Bool
    ) throws {
        let builder = GradientBuilder(plan: plan, tape: tape, needed: needed)
        var seeds: [String: Operand] = [:]
        for output in results.keys.sorted() {
            let seed = plan.allocate(try MemoryDescriptor(plain: plan.shape(output)))
            seeds[output] = seed
            builder.contribute(seed, to: output)
        }
        plan.emitLoss(Array(results.values) + Array(seeds.values))

        // A parameter's gradient is finished behind the gradient of the first unit that uses it, so that the blocked
        // gradients it is made of are not kept longer.
        var firstUses: [Int: [String]] = [:]
        var seen: Set<String> = []
        for (index, unit) in units.enumerated() {
            for input in unit.inputs where tape.parameters.contains(input) && seen.insert(input).inserted {
                firstUses[index, default: []].append(input)
            }
        }
        var finished: [String: Operand] = [:]
        func finish(_ parameter: String) throws -> Operand {
            let operand = try builder.result(parameter)
            plan.emitGradient(parameter, operand)
            return operand
        }
        for (index, unit) in units.enumerated().reversed() {
            try builder.add(unit)
            for name in firstUses[index] ?? [] { finished[name] = try finish(name) }
        }
        for name in tape.parameters.subtracting(seen).sorted() { finished[name] = try finish(name) }
        for name in plan.graph.inputs {
            guard plan.graph.types[name]?.elementType == .float32 else { continue }
            if inputGradients { finished[name] = try builder.result(name) } else { try builder.finish(name) }
        }
        self.seeds = seeds
        self.gradients = finished
    }
}
