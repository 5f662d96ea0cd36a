import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension Pooling: ExecutableOperator {
    /// The primitive does not tell where maxima are.
    func isExecutable(_ unit: Unit, in graph: SpecializedGraph) -> Bool {
        !unit.node.outputs.dropFirst().contains { !$0.isEmpty }
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let input = unit.node.inputs[0]
        let inputShape = try plan.shape(input)
        let extents = Array(inputShape.dimensions.dropFirst(2))
        guard let kernel = window.kernel else {
            throw ExecutionError(.unsupportedForm, expected: "the attribute kernel_shape")
        }
        let outputShape = try plan.shape(unit.outputs[0])
        let (begin, end) = window.resolvedPadding(input: extents, kernel: kernel)
        let algorithm: Algorithm.Pooling =
            switch kind {
            case .max: .max
            case .average: countsPadding ? .averageIncludingPadding : .averageExcludingPadding
            }
        // oneDNN wants output = (input + padding - window) / stride + 1 exactly, so what ceil mode adds at the end is
        // stated as padding.
        let exactEnd = extents.indices.map { axis in
            let covered = (kernel[axis] - 1) * window.dilation(axis) + 1
            return (outputShape[axis + 2] - 1) * window.stride(axis) + covered - extents[axis] - begin[axis]
        }
        let output = try plan.pool(
            unit, algorithm,
            WindowGeometry(
                kernel: kernel, strides: kernel.indices.map(window.stride),
                dilations: kernel.indices.map(window.dilation), begin: begin, end: exactEnd))
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
        try plan.emitBinary(.multiply, output, correction, to: target, post: [])
    }
}

extension PlanBuilder {
    /// The output of a pooling unit.
    fileprivate func pool(_ unit: Unit, _ algorithm: Algorithm.Pooling, _ window: WindowGeometry) throws -> Operand {
        let source = try operand(unit.node.inputs[0])
        let primitive = try Primitive.pooling(
            algorithm, from: source.layout, to: shape(unit.outputs[0]), window: window, propagation: propagation,
            engine: engine)
        let output = try allocate(primitive.layout(.target))
        var arguments: [(argument: Argument, operand: Operand)] = [(.source, source), (.target, output)]
        if tape != nil, algorithm == .max {
            // Where each maximum came from, for the gradient.
            arguments.append((.workspace, try allocate(primitive.layout(.workspace))))
        }
        emit(primitive, arguments, for: unit)
        return output
    }
}

extension GlobalPooling: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let extents = Array(try plan.shape(unit.node.inputs[0]).dimensions.dropFirst(2))
        let ones = extents.map { _ in 1 }
        let zeros = extents.map { _ in 0 }
        let output = try plan.pool(
            unit, kind == .max ? .max : .averageExcludingPadding,
            WindowGeometry(kernel: extents, strides: ones, dilations: ones, begin: zeros, end: zeros))
        plan.define(unit.outputs[0], at: output)
    }
}

extension Pooling: DifferentiableOperator {
    /// A maximum passes the gradient to the first element that has it.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        return [
            try gradients.ofPooling(unit, gradient) { try correctAverageGradient($0, unit, gradients.plan) }
        ]
    }
}

extension GlobalPooling: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        return [try gradients.ofPooling(unit, gradient) { $0 }]
    }
}

extension GradientBuilder {
    /// - Parameter correct: what is to be done to the gradient first.
    fileprivate func ofPooling(
        _ unit: Unit, _ gradient: Operand, correct: (Operand) throws -> Operand
    ) throws -> Operand {
        let record = try tape.record(of: unit)
        let workspace = try? record[.workspace]
        let corrected = try correct(converted(gradient, to: record[.target].layout))
        return try pooled(corrected, forward: record.primitive, workspace: workspace, onto: record[.source].layout)
    }
}
