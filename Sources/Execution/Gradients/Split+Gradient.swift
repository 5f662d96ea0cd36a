import Graph
import Tensors

extension Split: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        let plan = gradients.plan
        let shape = try plan.shape(unit.node.inputs[0])
        let axis = resolvedAxis(rank: shape.rank)
        let layout = try MemoryDescriptor(plain: shape)
        let extents = try extents(inputs: plan.operatorInputs(unit))
        let target = outputs.contains { $0 == nil } ? gradients.zeros(layout) : plan.allocate(layout)
        var offsets = [Int](repeating: 0, count: shape.rank)
        for (extent, gradient) in zip(extents, outputs) {
            if let gradient {
                let box = try layout.box(gradient.layout.shape, offsets: offsets)
                try plan.reorder(gradient, to: Operand(buffer: target.buffer, layout: box))
            }
            offsets[axis] += extent
        }
        return [target]
    }
}
