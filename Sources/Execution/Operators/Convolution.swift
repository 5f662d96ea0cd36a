import COneDNN
import Graph
import Tensors

extension Convolution: PostOperable, ExecutableOperator {
    var fusesAddition: Bool { true }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let (input, weight) = (unit.node.inputs[0], unit.node.inputs[1])
        let bias = unit.node.inputs.count > 2 && !unit.node.inputs[2].isEmpty ? unit.node.inputs[2] : nil
        let inputShape = try plan.shape(input)
        let outputShape = try plan.shape(unit.outputs[0])
        let weightShape = try plan.shape(weight)

        let kernel = Array(weightShape.dimensions.dropFirst(2))
        let grouped = groupedShape(weightShape)
        let padding = window.resolvedPadding(input: Array(inputShape.dimensions.dropFirst(2)), kernel: kernel)

        var source = try MemoryDescriptor(any: inputShape).raw
        var weights = try MemoryDescriptor(any: grouped).raw
        var target = try MemoryDescriptor(any: outputShape).raw
        var biases = try MemoryDescriptor(plain: [outputShape[1]]).raw
        var operation = dnnl_convolution_desc_t()
        try withUnsafePointer(to: &biases) { biases in
            try check(
                dnnl_dilated_convolution_forward_desc_init(
                    &operation, plan.propagation, dnnl_convolution_direct, &source, &weights,
                    bias == nil ? nil : biases, &target,
                    kernel.indices.map { Int64(window.stride($0)) },
                    kernel.indices.map { Int64(window.dilation($0) - 1) },
                    padding.begin.map(Int64.init), padding.end.map(Int64.init)), "convolution")
        }
        let primitive = try Primitive(&operation, named: "convolution", post: unit.post, engine: plan.engine)

        var arguments: [(argument: Int32, operand: Operand)] = [
            (DNNL_ARG_SRC, try plan.operand(input, as: primitive.layout(dnnl_query_src_md))),
            (
                DNNL_ARG_WEIGHTS,
                try plan.parameter(weight, reshaped: grouped, as: primitive.layout(dnnl_query_weights_md))
            ),
        ]
        if let bias { arguments.append((DNNL_ARG_BIAS, try plan.plainOperand(bias))) }
        let output = try plan.destination(primitive.layout(dnnl_query_dst_md), of: unit)
        plan.emit(primitive, arguments + [(DNNL_ARG_DST, output)], for: unit)
        plan.define(unit.outputs[0], at: output)
    }

    /// The weight's shape as oneDNN wants it, groups apart: [groups, outputs / group, inputs / group, kernel...].
    func groupedShape(_ weight: Shape) -> Shape {
        groups == 1
            ? weight : Shape([groups, weight[0] / groups, weight[1]] + weight.dimensions.dropFirst(2))
    }
}
