import Graph
import Tensors

extension Transpose: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.operand(unit.node.inputs[0])
        guard try plan.shape(unit.outputs[0]).rank > 1 else { return try plan.alias(unit.outputs[0], to: source) }
        let permuted = try source.layout.permuted(resolved(rank: source.layout.shape.rank))
        let target = plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.outputs[0])))
        try plan.reorder(Operand(buffer: source.buffer, layout: permuted), to: target)
        plan.define(unit.outputs[0], at: target)
    }
}
