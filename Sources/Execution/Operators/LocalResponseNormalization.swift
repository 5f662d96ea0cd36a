import COneDNN
import Graph
import Tensors

extension LocalResponseNormalization: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.operand(unit.node.inputs[0])
        var layout = source.layout.raw
        var operation = dnnl_lrn_desc_t()
        try check(
            dnnl_lrn_forward_desc_init(
                &operation, dnnl_forward_inference, dnnl_lrn_across_channels, &layout, dnnl_dim_t(size), alpha, beta,
                bias), "local response normalization")
        let primitive = try Primitive(&operation, named: "local response normalization", engine: plan.engine)
        let target = plan.allocate(source.layout)
        plan.emit(primitive, [(DNNL_ARG_SRC, source), (DNNL_ARG_DST, target)])
        plan.define(unit.outputs[0], at: target)
    }
}
