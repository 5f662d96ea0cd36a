import Graph
import Tensors

extension Split: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.plainOperand(unit.node.inputs[0])
        let shape = source.layout.shape
        let axis = resolvedAxis(rank: shape.rank)
        var offsets = [Int](repeating: 0, count: shape.rank)
        // Outputs that nobody uses have no name and no type, but take their place along the axis.
        for (output, extent) in zip(unit.outputs, try extents(inputs: plan.operatorInputs(unit))) {
            defer { offsets[axis] += extent }
            guard !output.isEmpty else { continue }
            let part = try plan.shape(output)
            let box = Operand(buffer: source.buffer, layout: try source.layout.box(part, offsets: offsets))
            let target = plan.allocate(try MemoryDescriptor(plain: part))
            try plan.reorder(box, to: target)
            plan.define(output, at: target)
        }
    }
}
