import COneDNN
import Graph
import Tensors

extension LayerNormalization: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let input = unit.node.inputs[0]
        let shape = try plan.shape(input)
        let start = axis < 0 ? axis + shape.rank : axis
        let inner = shape.dimensions[start...].reduce(1, *)
        let rows = try MemoryDescriptor(plain: [shape.count / max(inner, 1), inner])
        let vector = try MemoryDescriptor(plain: [inner])
        let source = Operand(buffer: try plan.plainOperand(input).buffer, layout: rows)
        var (layout, statistics) = (rows.raw, try MemoryDescriptor(plain: [rows.shape[0]]).raw)
        let hasBias = unit.node.inputs.count > 2 && !unit.node.inputs[2].isEmpty
        var operation = dnnl_layer_normalization_desc_t()
        let flags = dnnl_use_scale.rawValue | (hasBias ? dnnl_use_shift.rawValue : 0)
        try check(
            dnnl_layer_normalization_forward_desc_init(
                &operation, plan.propagation, &layout, &statistics, epsilon, flags), "layer normalization")
        let primitive = try Primitive(&operation, named: "layer normalization", engine: plan.engine)
        let target = plan.allocate(rows)
        func parameter(_ index: Int) throws -> Operand {
            Operand(buffer: try plan.plainOperand(unit.node.inputs[index]).buffer, layout: vector)
        }
        var arguments: [(argument: Int32, operand: Operand)] = [
            (DNNL_ARG_SRC, source), (DNNL_ARG_SCALE, try parameter(1)), (DNNL_ARG_DST, target),
        ]
        if hasBias { arguments.append((DNNL_ARG_SHIFT, try parameter(2))) }
        if plan.tape != nil {
            arguments.append((DNNL_ARG_MEAN, plan.allocate(MemoryDescriptor(statistics))))
            arguments.append((DNNL_ARG_VARIANCE, plan.allocate(MemoryDescriptor(statistics))))
        }
        plan.emit(primitive, arguments, for: unit)
        plan.define(
            unit.outputs[0], at: Operand(buffer: target.buffer, layout: try MemoryDescriptor(plain: shape)))
    }
}
