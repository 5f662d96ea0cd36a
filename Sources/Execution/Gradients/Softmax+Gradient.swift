import COneDNN
import Graph
import Tensors

extension Softmax: DifferentiableOperator {
    func gradientReadsOutput(_ unit: Unit, in graph: SpecializedGraph) -> Bool { true }

    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let record = try gradients.tape.record(of: unit)
        let layout = try record[DNNL_ARG_DST].layout
        let forward = try record.primitive.operation(dnnl_query_softmax_v2_d, as: dnnl_softmax_v2_desc_t.self)
        var raw = layout.raw
        var operation = dnnl_softmax_v2_desc_t()
        try check(
            dnnl_softmax_v2_backward_desc_init(
                &operation, forward.alg_kind, &raw, &raw, &raw, forward.softmax_axis), "gradient of softmax")
        let primitive = try Primitive(
            &operation, named: "gradient of softmax", forward: record.primitive, engine: plan.engine)
        let target = plan.allocate(layout)
        plan.emit(
            primitive,
            [
                (DNNL_ARG_DST, Operand(buffer: try gradients.producedOutput(unit).buffer, layout: layout)),
                (DNNL_ARG_DIFF_DST, try gradients.reshaped(gradient, layout.shape)),
                (DNNL_ARG_DIFF_SRC, target),
            ])
        return [try gradients.reshaped(target, plan.shape(unit.node.inputs[0]))]
    }
}
