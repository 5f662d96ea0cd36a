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

    /// Adds the loss and the backward pass behind the forward pass.
    /// - Parameters:
    ///   - needed: values whose gradients are computed.
    ///   - results: the outputs in row-major order.
    ///   - inputGradients: whether the gradients of inputs are among the results.
    /// - Returns: where the gradients of outputs are written, and where the gradients asked for are found.
    static func addBackward(
        _ plan: PlanBuilder, _ tape: Tape, _ units: [Unit], needed: Set<String>, results: [String: Operand],
        inputGradients: Bool
    ) throws -> (outputs: [String: Operand], gradients: [String: Operand]) {
        let gradients = GradientBuilder(plan: plan, tape: tape, needed: needed)
        var seeds: [String: Operand] = [:]
        for output in results.keys.sorted() {
            let seed = plan.allocate(try MemoryDescriptor(plain: plan.shape(output)))
            seeds[output] = seed
            gradients.contribute(seed, to: output)
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
            let operand = try gradients.result(parameter)
            plan.emitGradient(parameter, operand)
            return operand
        }
        for (index, unit) in units.enumerated().reversed() {
            try gradients.add(unit)
            for name in firstUses[index] ?? [] { finished[name] = try finish(name) }
        }
        for name in tape.parameters.subtracting(seen).sorted() { finished[name] = try finish(name) }
        for name in plan.graph.inputs {
            if inputGradients { finished[name] = try gradients.result(name) } else { try gradients.finish(name) }
        }
        return (seeds, finished)
    }
}
