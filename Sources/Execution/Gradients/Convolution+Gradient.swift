import COneDNN
import Graph
import Tensors

extension Convolution: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let forward = try gradients.tape.record(of: unit).primitive
        let geometry = try Geometry(forward)
        var result = [Operand?](repeating: nil, count: unit.node.inputs.count)
        if gradients.isNeeded(unit, 1) || gradients.isNeeded(unit, 2) {
            let (weight, bias) = try weightGradient(unit, gradient, forward, geometry, gradients)
            result[1] = weight
            if let bias { result[2] = bias }
        }
        if gradients.isNeeded(unit, 0) {
            result[0] = try inputGradient(unit, gradient, forward, geometry, gradients)
        }
        return result
    }

    /// The window as the forward primitive got it.
    private struct Geometry {
        let strides, dilations, begin, end: [Int64]

        init(_ forward: Primitive) throws {
            let operation = try forward.operation(dnnl_query_convolution_d, as: dnnl_convolution_desc_t.self)
            let axes = Int(operation.src_desc.ndims) - 2
            strides = spatial(operation.strides, axes)
            dilations = spatial(operation.dilates, axes)
            begin = spatial(operation.padding.0, axes)
            end = spatial(operation.padding.1, axes)
        }
    }

    private func inputGradient(
        _ unit: Unit, _ gradient: Operand, _ forward: Primitive, _ geometry: Geometry, _ gradients: GradientBuilder
    ) throws -> Operand {
        let plan = gradients.plan
        let weight = unit.node.inputs[1]
        let grouped = try groupedShape(plan.shape(weight))
        var source = try MemoryDescriptor(any: plan.shape(unit.node.inputs[0])).raw
        var weights = try MemoryDescriptor(any: grouped).raw
        var target = try MemoryDescriptor(any: plan.shape(unit.outputs[0])).raw
        var operation = dnnl_convolution_desc_t()
        try check(
            dnnl_dilated_convolution_backward_data_desc_init(
                &operation, dnnl_convolution_direct, &source, &weights, &target, geometry.strides, geometry.dilations,
                geometry.begin, geometry.end), "input gradient of convolution")
        let primitive = try Primitive(
            &operation, named: "input gradient of convolution", forward: forward, engine: plan.engine)
        let layout = try primitive.layout(dnnl_query_weights_md)
        let used = try gradients.tape.record(of: unit)[DNNL_ARG_WEIGHTS]
        let result = plan.allocate(try primitive.layout(dnnl_query_diff_src_md))
        plan.emit(
            primitive,
            [
                (DNNL_ARG_DIFF_DST, try gradients.converted(gradient, to: primitive.layout(dnnl_query_diff_dst_md))),
                (
                    DNNL_ARG_WEIGHTS,
                    try used.layout == layout ? used : plan.parameter(weight, reshaped: grouped, as: layout)
                ),
                (DNNL_ARG_DIFF_SRC, result),
            ])
        return result
    }

    private func weightGradient(
        _ unit: Unit, _ gradient: Operand, _ forward: Primitive, _ geometry: Geometry, _ gradients: GradientBuilder
    ) throws -> (weight: Operand?, bias: Operand?) {
        let plan = gradients.plan
        let (input, weight) = (unit.node.inputs[0], unit.node.inputs[1])
        let grouped = try groupedShape(plan.shape(weight))
        let outputShape = try plan.shape(unit.outputs[0])
        let hasBias = gradients.isNeeded(unit, 2)
        var source = try MemoryDescriptor(any: plan.shape(input)).raw
        var weights = try MemoryDescriptor(any: grouped).raw
        var target = try MemoryDescriptor(any: outputShape).raw
        let biasLayout = try MemoryDescriptor(plain: [outputShape[1]])
        var operation = dnnl_convolution_desc_t()
        try withUnsafePointer(to: biasLayout.raw) { biases in
            try check(
                dnnl_dilated_convolution_backward_weights_desc_init(
                    &operation, dnnl_convolution_direct, &source, &weights, hasBias ? biases : nil, &target,
                    geometry.strides, geometry.dilations, geometry.begin, geometry.end),
                "weight gradient of convolution")
        }
        let primitive = try Primitive(
            &operation, named: "weight gradient of convolution", forward: forward, engine: plan.engine)
        let weightResult = plan.allocate(try primitive.layout(dnnl_query_diff_weights_md))
        let biasResult = hasBias ? plan.allocate(biasLayout) : nil
        var arguments: [(argument: Int32, operand: Operand)] = [
            (DNNL_ARG_SRC, try plan.operand(input, as: primitive.layout(dnnl_query_src_md))),
            (DNNL_ARG_DIFF_DST, try gradients.converted(gradient, to: primitive.layout(dnnl_query_diff_dst_md))),
            (DNNL_ARG_DIFF_WEIGHTS, weightResult),
        ]
        if let biasResult { arguments.append((DNNL_ARG_DIFF_BIAS, biasResult)) }
        plan.emit(primitive, arguments)
        guard gradients.isNeeded(weight) else { return (nil, biasResult) }
        return (try gradients.reshaped(weightResult, plan.shape(weight)), biasResult)
    }
}
