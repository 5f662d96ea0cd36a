import COneDNN
import Graph
import Tensors

extension LayerNormalization: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let record = try gradients.tape.record(of: unit)
        let (source, scale) = (try record[DNNL_ARG_SRC], try record[DNNL_ARG_SCALE])
        let (mean, variance) = (try record[DNNL_ARG_MEAN], try record[DNNL_ARG_VARIANCE])
        let hasBias = unit.node.inputs.count > 2 && !unit.node.inputs[2].isEmpty
        var (layout, statistics) = (source.layout.raw, mean.layout.raw)
        let flags = dnnl_use_scale.rawValue | (hasBias ? dnnl_use_shift.rawValue : 0)
        var operation = dnnl_layer_normalization_desc_t()
        try check(
            dnnl_layer_normalization_backward_desc_init(
                &operation, dnnl_backward, &layout, &layout, &statistics, epsilon, flags),
            "gradient of layer normalization")
        let primitive = try Primitive(
            &operation, named: "gradient of layer normalization", forward: record.primitive, engine: plan.engine)
        let target = plan.allocate(source.layout)
        let (diffScale, diffShift) = (plan.allocate(scale.layout), plan.allocate(scale.layout))
        var arguments: [(argument: Int32, operand: Operand)] = [
            (DNNL_ARG_SRC, source), (DNNL_ARG_MEAN, mean), (DNNL_ARG_VARIANCE, variance), (DNNL_ARG_SCALE, scale),
            (DNNL_ARG_DIFF_DST, try gradients.reshaped(gradient, source.layout.shape)), (DNNL_ARG_DIFF_SRC, target),
            (DNNL_ARG_DIFF_SCALE, diffScale),
        ]
        if hasBias { arguments += [(DNNL_ARG_SHIFT, try record[DNNL_ARG_SHIFT]), (DNNL_ARG_DIFF_SHIFT, diffShift)] }
        plan.emit(primitive, arguments)
        var result: [Operand?] = [try gradients.reshaped(target, plan.shape(unit.node.inputs[0]))]
        result.append(try gradients.reshaped(diffScale, plan.shape(unit.node.inputs[1])))
        if hasBias { result.append(try gradients.reshaped(diffShift, plan.shape(unit.node.inputs[2]))) }
        return result
    }
}
