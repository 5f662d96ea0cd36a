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
                &operation, plan.propagation, dnnl_lrn_across_channels, &layout, dnnl_dim_t(size), alpha, beta,
                bias), "local response normalization")
        let primitive = try Primitive(&operation, named: "local response normalization", engine: plan.engine)
        let target = plan.allocate(source.layout)
        var arguments: [(argument: Int32, operand: Operand)] = [(DNNL_ARG_SRC, source), (DNNL_ARG_DST, target)]
        if plan.tape != nil {
            arguments.append((DNNL_ARG_WORKSPACE, try plan.allocate(primitive.layout(dnnl_query_workspace_md))))
        }
        plan.emit(primitive, arguments, for: unit)
        plan.define(unit.outputs[0], at: target)
    }
}
