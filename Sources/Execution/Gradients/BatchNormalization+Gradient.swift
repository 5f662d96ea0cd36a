import COneDNN
import Graph
import Tensors

extension BatchNormalization: DifferentiableOperator {
    /// With given statistics, which have no gradient themselves.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        for index in 3...4 where gradients.isNeeded(unit, index) {
            throw ExecutionError(
                .unsupportedForm, tensor: unit.node.inputs[index], expected: "statistics that are not trained")
        }
        let plan = gradients.plan
        let record = try gradients.tape.record(of: unit)
        let source = try record[DNNL_ARG_SRC]
        let trainsAffine = gradients.isNeeded(unit, 1) || gradients.isNeeded(unit, 2)
        var layout = source.layout.raw
        let flags = dnnl_use_global_stats.rawValue | dnnl_use_scale.rawValue | dnnl_use_shift.rawValue
        var operation = dnnl_batch_normalization_desc_t()
        try check(
            dnnl_batch_normalization_backward_desc_init(
                &operation, trainsAffine ? dnnl_backward : dnnl_backward_data, &layout, &layout, epsilon, flags),
            "gradient of batch normalization")
        let primitive = try Primitive(
            &operation, named: "gradient of batch normalization", forward: record.primitive, engine: plan.engine)
        let target = plan.allocate(source.layout)
        let vector = try record[DNNL_ARG_SCALE].layout
        let (scale, shift) = (plan.allocate(vector), plan.allocate(vector))
        var arguments: [(argument: Int32, operand: Operand)] = [
            (DNNL_ARG_SRC, source), (DNNL_ARG_MEAN, try record[DNNL_ARG_MEAN]),
            (DNNL_ARG_VARIANCE, try record[DNNL_ARG_VARIANCE]), (DNNL_ARG_SCALE, try record[DNNL_ARG_SCALE]),
            (DNNL_ARG_DIFF_DST, try gradients.converted(gradient, to: source.layout)), (DNNL_ARG_DIFF_SRC, target),
            (DNNL_ARG_SHIFT, try record[DNNL_ARG_SHIFT]),
        ]
        guard trainsAffine else {
            plan.emit(primitive, arguments)
            return [target]
        }
        arguments += [(DNNL_ARG_DIFF_SCALE, scale), (DNNL_ARG_DIFF_SHIFT, shift)]
        plan.emit(primitive, arguments)
        return [target, scale, shift]
    }
}
