import Graph
import Tensors

extension Reshaping: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let shape = try gradients.plan.shape(unit.node.inputs[0])
        if try gradients.plan.shape(unit.outputs[0]) == shape { return [gradient] }
        return [try gradients.reshaped(gradient, shape)]
    }
}
