import COneDNN
import Graph
import Tensors

extension BatchNormalization: DifferentiableOperator {
    /// Given statistics have no gradient themselves; the gradient flows through those of a batch.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        for index in 3...4 where gradients.isNeeded(unit, index) {
            throw ExecutionError(
                .unsupportedForm, tensor: unit.node.inputs[index], expected: "statistics that are not trained")
        }
        let plan = gradients.plan
        let record = try gradients.tape.record(of: unit)
        let source = try record[DNNL_ARG_SRC]
        var layout = source.layout.raw
        let flags = Self.flags(batchStatistics: plan.usesBatchStatistics(unit))
        var operation = dnnl_batch_normalization_desc_t()
        try check(
            dnnl_batch_normalization_backward_desc_init(
                &operation, dnnl_backward, &layout, &layout, epsilon, flags),
            "gradient of batch normalization")
        let primitive = try Primitive(
            &operation, named: "gradient of batch normalization", forward: record.primitive, engine: plan.engine)
        let target = plan.allocate(source.layout)
        let vector = try record[DNNL_ARG_SCALE].layout
        let (scale, shift) = (plan.allocate(vector), plan.allocate(vector))
        // Also where scale and shift are not trained: oneDNN has no gradient of the data alone with both of them.
        plan.emit(
            primitive,
            [
                (DNNL_ARG_SRC, source), (DNNL_ARG_MEAN, try record[DNNL_ARG_MEAN]),
                (DNNL_ARG_VARIANCE, try record[DNNL_ARG_VARIANCE]), (DNNL_ARG_SCALE, try record[DNNL_ARG_SCALE]),
                (DNNL_ARG_DIFF_DST, try gradients.converted(gradient, to: source.layout)),
                (DNNL_ARG_DIFF_SRC, target), (DNNL_ARG_SHIFT, try record[DNNL_ARG_SHIFT]),
                (DNNL_ARG_DIFF_SCALE, scale), (DNNL_ARG_DIFF_SHIFT, shift),
            ])
        return [target, scale, shift]
    }
}
