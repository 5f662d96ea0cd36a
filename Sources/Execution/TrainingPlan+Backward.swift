import Graph
import Tensors

extension TrainingPlan {
    /// The values of a graph that depend on one of the given ones, these included.
    static func dependents(of values: Set<String>, in graph: SpecializedGraph) -> Set<String> {
        var result = values
        for step in graph.steps where !result.isDisjoint(with: step.node.inputs) {
            result.formUnion(step.node.outputs.filter { !$0.isEmpty })
        }
        return result
    }

    /// Adds the loss and the backward pass behind the forward pass.
    /// - Parameters:
    ///   - needed: values whose gradients are computed.
    ///   - results: the outputs in row-major order.
    /// - Returns: where the gradients of outputs are written and those of parameters are found.
    static func addBackward(
        _ plan: PlanBuilder, _ tape: Tape, _ units: [Unit], needed: Set<String>, outputs: [String],
        _ results: [String: Operand]
    ) throws -> (builder: GradientBuilder, outputs: [String: Operand], parameters: [String: Operand]) {
        let gradients = GradientBuilder(plan: plan, tape: tape, needed: needed)
        var seeds: [String: Operand] = [:]
        for output in outputs where seeds[output] == nil {
            seeds[output] = plan.allocate(try MemoryDescriptor(plain: plan.shape(output)))
        }
        plan.emitLoss(Array(results.values) + Array(seeds.values))
        for output in Set(outputs).sorted() {
            if let seed = seeds[output] { gradients.contribute(seed, to: output) }
        }

        // A parameter's gradient is finished behind the gradient of the first unit that uses it, so that the blocked
        // gradients it is made of are not kept longer.
        var firstUses: [Int: [String]] = [:]
        var seen: Set<String> = []
        for (index, unit) in units.enumerated() {
            for input in unit.inputs where tape.parameters.contains(input) && seen.insert(input).inserted {
                firstUses[index, default: []].append(input)
            }
        }
        var parameters: [String: Operand] = [:]
        for (index, unit) in units.enumerated().reversed() {
            try gradients.add(unit)
            for name in firstUses[index] ?? [] { parameters[name] = try gradients.result(name) }
        }
        for name in tape.parameters.subtracting(seen).sorted() { parameters[name] = try gradients.result(name) }
        return (gradients, seeds, parameters)
    }
}
