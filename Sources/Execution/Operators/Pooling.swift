import COneDNN
import Graph
import Tensors

extension Pooling: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let input = unit.node.inputs[0]
        let inputShape = try plan.shape(input)
        let extents = Array(inputShape.dimensions.dropFirst(2))
        guard let kernel = window.kernel else {
            throw ExecutionError(.unsupportedForm, expected: "the attribute kernel_shape")
        }
        let outputShape = try plan.shape(unit.outputs[0])
        let (begin, end) = window.resolvedPadding(input: extents, kernel: kernel)
        let algorithm =
            switch kind {
            case .max: dnnl_pooling_max
            case .average: countsPadding ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding
            }
        // oneDNN wants output = (input + padding - window) / stride + 1 exactly, so what ceil mode adds at the end is
        // stated as padding.
        let exactEnd = extents.indices.map { axis in
            let covered = (kernel[axis] - 1) * window.dilation(axis) + 1
            return (outputShape[axis + 2] - 1) * window.stride(axis) + covered - extents[axis] - begin[axis]
        }
        let output = try plan.pool(
            unit, algorithm, kernel: kernel, strides: kernel.indices.map(window.stride),
            dilations: kernel.indices.map(window.dilation), begin: begin, end: exactEnd)
        if kind == .average, countsPadding, zip(exactEnd, end).contains(where: { $0 > $1 }) {
            try correctAverages(output, to: output, plan, input: extents, kernel: kernel, begin: begin, end: end)
        }
        plan.define(unit.outputs[0], at: output)
    }

    /// Does to the gradient of averages what `build` does to averages of windows that reach beyond the padding.
    /// - Returns: the gradient, in new memory where it was changed.
    func correctAverageGradient(_ gradient: Operand, _ unit: Unit, _ plan: PlanBuilder) throws -> Operand {
        let extents = Array(try plan.shape(unit.node.inputs[0]).dimensions.dropFirst(2))
        guard kind == .average, countsPadding, let kernel = window.kernel else { return gradient }
        let (begin, end) = window.resolvedPadding(input: extents, kernel: kernel)
        let reaches = extents.indices.contains { axis in
            let covered = (kernel[axis] - 1) * window.dilation(axis) + 1
            let last = (gradient.layout.shape[axis + 2] - 1) * window.stride(axis)
            return last + covered > begin[axis] + extents[axis] + end[axis]
        }
        guard reaches else { return gradient }
        let corrected = plan.allocate(gradient.layout)
        try correctAverages(
            gradient, to: corrected, plan, input: extents, kernel: kernel, begin: begin, end: end)
        return corrected
    }

    /// Where padding is counted, what ceil mode adds behind it is not (opset 19): oneDNN has divided by the whole kernel,
    /// so averages of windows that reach further are scaled by kernel / covered.
    private func correctAverages(
        _ output: Operand, to target: Operand, _ plan: PlanBuilder, input: [Int], kernel: [Int], begin: [Int],
        end: [Int]
    ) throws {
        let shape = output.layout.shape
        let spatial = Shape(Array(shape.dimensions.dropFirst(2)))
        var factors = [Float](repeating: 1, count: spatial.count)
        for index in factors.indices {
            var rest = index
            for axis in spatial.dimensions.indices.reversed() {
                let first = rest % spatial[axis] * window.stride(axis)
                rest /= spatial[axis]
                let padded = begin[axis] + input[axis] + end[axis]
                let covered = (0..<kernel[axis]).count { first + $0 * window.dilation(axis) < padded }
                factors[index] *= Float(kernel[axis]) / Float(covered)
            }
        }
        let layout = try MemoryDescriptor(plain: Shape([1, 1] + spatial.dimensions))
        let correction = plan.allocate(layout)
        plan.emit([correction]) { [factors] pointers in
            for (index, factor) in factors.enumerated() { pointers[0][index] = factor }
        }
        try plan.emitBinary(dnnl_binary_mul, output, correction, to: target, post: [])
    }
}

extension PlanBuilder {
    func pool(
        _ unit: Unit, _ algorithm: dnnl_alg_kind_t, kernel: [Int], strides: [Int], dilations: [Int], begin: [Int],
        end: [Int]
    ) throws -> Operand {
        let source = try operand(unit.node.inputs[0])
        var sourceLayout = source.layout.raw
        var target = try MemoryDescriptor(any: shape(unit.outputs[0])).raw
        var operation = dnnl_pooling_v2_desc_t()
        try check(
            dnnl_pooling_v2_forward_desc_init(
                &operation, propagation, algorithm, &sourceLayout, &target, strides.map(Int64.init),
                kernel.map(Int64.init), dilations.map { Int64($0 - 1) }, begin.map(Int64.init), end.map(Int64.init)),
            "pooling")
        let primitive = try Primitive(&operation, named: "pooling", engine: engine)
        let output = try allocate(primitive.layout(dnnl_query_dst_md))
        var arguments: [(argument: Int32, operand: Operand)] = [(DNNL_ARG_SRC, source), (DNNL_ARG_DST, output)]
        if tape != nil, algorithm == dnnl_pooling_max {
            // Where each maximum came from, for the gradient.
            arguments.append((DNNL_ARG_WORKSPACE, try allocate(primitive.layout(dnnl_query_workspace_md))))
        }
        emit(primitive, arguments, for: unit)
        return output
    }
}
