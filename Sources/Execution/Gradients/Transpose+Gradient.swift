import Graph
import Tensors

extension Transpose: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let shape = try plan.shape(unit.node.inputs[0])
        var inverse = [Int](repeating: 0, count: shape.rank)
        for (target, source) in resolved(rank: shape.rank).enumerated() { inverse[source] = target }
        let permuted = Operand(buffer: gradient.buffer, layout: try gradient.layout.permuted(inverse))
        let target = plan.allocate(try MemoryDescriptor(plain: shape))
        try plan.reorder(permuted, to: target)
        return [target]
    }
}
