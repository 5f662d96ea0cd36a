import Graph
import Tensors

extension ElementwiseVariadic: DifferentiableOperator {
    func gradientReadsOutput(_ unit: Unit, in graph: SpecializedGraph) -> Bool { function == .max || function == .min }

    /// Of inputs that share the maximum or minimum, each gets an equal part of the gradient.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let inputs = unit.node.inputs
        switch function {
        case .sum: return try inputs.indices.map { try gradients.scaledSum(of: gradient, by: 1, unit, $0) }
        case .mean:
            let share = 1 / Float(inputs.count)
            return try inputs.indices.map { try gradients.scaledSum(of: gradient, by: share, unit, $0) }
        case .max, .min:
            let winners = try gradients.countWinners(unit, full: gradient.layout.shape)
            let output = try gradients.producedOutput(unit)
            return try inputs.indices.map { index in
                guard gradients.isNeeded(unit, index) else { return nil }
                let share = try gradients.mapped(gradient, output, winners) { gradient, _, count in gradient / count }
                let own = try gradients.mapped(share, output, gradients.plan.plainOperand(inputs[index])) {
                    $1 == $2 ? $0 : 0
                }
                return try gradients.reduced(own, to: gradients.plan.shape(inputs[index]))
            }
        }
    }
}

extension GradientBuilder {
    /// The first output of a unit as it was computed, row-major.
    func producedOutput(_ unit: Unit) throws -> Operand {
        let output = unit.outputs[0]
        guard let produced = tape.beforeTap[output] else { return try plan.plainOperand(output) }
        return try plain(produced)
    }

    /// How many of the unit's inputs equal its output, for each element.
    fileprivate func countWinners(_ unit: Unit, full: Shape) throws -> Operand {
        let output = try producedOutput(unit)
        var count = zeros(try MemoryDescriptor(plain: full))
        for input in unit.node.inputs {
            count = try mapped(count, output, plan.plainOperand(input)) { $1 == $2 ? $0 + 1 : $0 }
        }
        return count
    }
}
