import COneDNN
import Graph
import Tensors

extension BatchNormalization: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.operand(unit.node.inputs[0])
        var layout = source.layout.raw
        var operation = dnnl_batch_normalization_desc_t()
        let flags = dnnl_use_global_stats.rawValue | dnnl_use_scale.rawValue | dnnl_use_shift.rawValue
        try check(
            dnnl_batch_normalization_forward_desc_init(
                &operation, plan.propagation, &layout, epsilon, flags), "batch normalization")
        let primitive = try Primitive(&operation, named: "batch normalization", engine: plan.engine)
        let target = try plan.allocate(source.layout, overwriting: unit.node.inputs[0], usedBy: unit)
        plan.emit(
            primitive,
            [
                (DNNL_ARG_SRC, source), (DNNL_ARG_SCALE, try plan.plainOperand(unit.node.inputs[1])),
                (DNNL_ARG_SHIFT, try plan.plainOperand(unit.node.inputs[2])),
                (DNNL_ARG_MEAN, try plan.plainOperand(unit.node.inputs[3])),
                (DNNL_ARG_VARIANCE, try plan.plainOperand(unit.node.inputs[4])), (DNNL_ARG_DST, target),
            ], for: unit)
        plan.define(unit.outputs[0], at: target)
    }
}
