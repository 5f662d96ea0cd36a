import Graph
import Tensors

extension Reshaping: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let (input, output) = (unit.node.inputs[0], unit.outputs[0])
        let shape = try plan.shape(output)
        if try plan.shape(input) == shape { return try plan.alias(output, to: plan.operand(input)) }
        let source = try plan.plainOperand(input)
        try plan.alias(output, to: Operand(buffer: source.buffer, layout: MemoryDescriptor(plain: shape)))
    }
}

extension Transpose: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.operand(unit.node.inputs[0])
        let permuted = try source.layout.permuted(resolved(rank: source.layout.shape.rank))
        let target = plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.outputs[0])))
        try plan.reorder(Operand(buffer: source.buffer, layout: permuted), to: target)
        plan.define(unit.outputs[0], at: target)
    }
}
