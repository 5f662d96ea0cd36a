import COneDNN
import Graph
import Tensors

extension LocalResponseNormalization: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let record = try gradients.tape.record(of: unit)
        let source = try record[DNNL_ARG_SRC]
        var layout = source.layout.raw
        var operation = dnnl_lrn_desc_t()
        try check(
            dnnl_lrn_backward_desc_init(
                &operation, dnnl_lrn_across_channels, &layout, &layout, dnnl_dim_t(size), alpha, beta, bias),
            "gradient of local response normalization")
        let primitive = try Primitive(
            &operation, named: "gradient of local response normalization", forward: record.primitive,
            engine: plan.engine)
        let target = plan.allocate(source.layout)
        plan.emit(
            primitive,
            [
                (DNNL_ARG_SRC, source), (DNNL_ARG_WORKSPACE, try record[DNNL_ARG_WORKSPACE]),
                (DNNL_ARG_DIFF_DST, try gradients.converted(gradient, to: source.layout)),
                (DNNL_ARG_DIFF_SRC, target),
            ])
        return [target]
    }
}
