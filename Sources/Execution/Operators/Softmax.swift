import COneDNN
import Graph
import Tensors

extension Softmax: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.node.inputs[0])
        let start = axis < 0 ? axis + shape.rank : axis
        // Before opset 13 the axes from `axis` on are one.
        let outer = shape.dimensions[..<start].reduce(1, *)
        let rows = flattens ? Shape([outer, shape.count / max(outer, 1)]) : shape
        let layout = try MemoryDescriptor(plain: rows)
        let source = Operand(buffer: try plan.plainOperand(unit.node.inputs[0]).buffer, layout: layout)
        var (from, to) = (layout.raw, layout.raw)
        var operation = dnnl_softmax_v2_desc_t()
        try check(
            dnnl_softmax_v2_forward_desc_init(
                &operation, plan.propagation, logarithmic ? dnnl_softmax_log : dnnl_softmax_accurate, &from, &to,
                Int32(flattens ? 1 : start)), "softmax")
        let primitive = try Primitive(&operation, named: "softmax", engine: plan.engine)
        let target = plan.allocate(layout)
        plan.emit(primitive, [(DNNL_ARG_SRC, source), (DNNL_ARG_DST, target)], for: unit)
        plan.define(
            unit.outputs[0], at: Operand(buffer: target.buffer, layout: try MemoryDescriptor(plain: shape)))
    }
}
