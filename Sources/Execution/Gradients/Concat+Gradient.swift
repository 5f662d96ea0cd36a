import Graph
import Tensors

extension Concat: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let rank = gradient.layout.shape.rank
        var offsets = [Int](repeating: 0, count: rank)
        return try unit.node.inputs.map { input in
            let shape = try plan.shape(input)
            defer { offsets[resolvedAxis(rank: rank)] += shape[resolvedAxis(rank: rank)] }
            guard gradients.isNeeded(input) else { return nil }
            // Channel blocks need not line up with the box.
            var source = gradient
            var box = try? source.layout.box(shape, offsets: offsets)
            if box == nil {
                source = try gradients.plain(gradient)
                box = try source.layout.box(shape, offsets: offsets)
            }
            guard let box else { return nil }
            let target = plan.allocate(try plan.operand(input).layout)
            try plan.reorder(Operand(buffer: source.buffer, layout: box), to: target)
            return target
        }
    }
}
