import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension Reduce: ExecutableOperator {
    func isExecutable(_ unit: Unit, in graph: SpecializedGraph) -> Bool { function != .logSumOfExponentials }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.plainOperand(unit.node.inputs[0])
        let output = try plan.shape(unit.outputs[0])
        var kept = source.layout.shape.dimensions
        for axis in try axes(inputs: plan.operatorInputs(unit)) { kept[axis] = 1 }
        guard kept != source.layout.shape.dimensions else { return try buildOfSingles(unit, source, plan) }
        let target = plan.allocate(try MemoryDescriptor(plain: Shape(kept)))
        let algorithm: Algorithm.Reduction =
            switch function {
            case .mean: .mean
            case .sum, .logSum, .logSumOfExponentials: .sum
            case .max: .max
            case .min: .min
            case .l1: .absoluteSum
            case .l2: .euclideanNorm
            case .product: .product
            case .sumOfSquares: .sumOfSquares
            }
        let primitive = try Primitive.reduction(algorithm, from: source.layout, to: target.layout, engine: plan.engine)
        plan.emit(primitive, [(.source, source), (.target, target)])
        if [.max, .min].contains(function) { emitInfinities(source, target, Shape(kept), plan) }
        if function == .logSum { try plan.emitEltwise(.log, alpha: 0, beta: 0, from: target, to: target) }
        plan.define(
            unit.outputs[0], at: Operand(buffer: target.buffer, layout: try MemoryDescriptor(plain: output)))
    }

    /// oneDNN begins at the greatest finite number where ONNX begins at infinity: what is left of it is found again, of rows that
    /// have no element or infinities alone.
    private func emitInfinities(_ source: Operand, _ target: Operand, _ kept: Shape, _ plan: PlanBuilder) {
        let (shape, sign) = (source.layout.shape, function == .max ? Float(-1) : 1)
        let count = kept.count
        let walk = shape.count > 0 ? BroadcastWalk(of: kept, in: shape) : nil
        plan.emit([source, target]) { pointers in
            let (x, result) = (pointers[0], pointers[1])
            let beginning = sign * .greatestFiniteMagnitude
            guard (0..<count).contains(where: { result[$0] == beginning }) else { return }
            for index in 0..<count where result[index] == beginning { result[index] = sign * .infinity }
            walk?.rows { full, small, count, stride in
                for index in 0..<count {
                    let (value, place) = (x[full + index], small + index * stride)
                    if value * sign < result[place] * sign { result[place] = value }
                }
            }
        }
    }

    /// Where every reduced axis has one element, the output has the input's elements or a function of them.
    private func buildOfSingles(_ unit: Unit, _ source: Operand, _ plan: PlanBuilder) throws {
        let shaped = Operand(
            buffer: source.buffer, layout: try MemoryDescriptor(plain: plan.shape(unit.outputs[0])))
        let algorithm: Algorithm.Elementwise
        switch function {
        case .mean, .sum, .max, .min, .product: return try plan.alias(unit.outputs[0], to: shaped)
        case .l1, .l2: algorithm = .abs
        case .sumOfSquares: algorithm = .square
        case .logSum, .logSumOfExponentials: algorithm = .log
        }
        let target = plan.allocate(shaped.layout)
        try plan.emitEltwise(algorithm, alpha: 0, beta: 0, from: shaped, to: target)
        plan.define(unit.outputs[0], at: target)
    }
}

extension Reduce: DifferentiableOperator {
    func gradientReadsOutput(_ unit: Unit, in graph: SpecializedGraph) -> Bool {
        [.max, .min, .l2, .logSum, .logSumOfExponentials].contains(function)
    }

    /// Of elements that share the maximum or minimum, each gets an equal part of the gradient.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard var gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let input = unit.node.inputs[0]
        let shape = try plan.shape(input)
        var kept = shape.dimensions
        for axis in try axes(inputs: plan.operatorInputs(unit)) { kept[axis] = 1 }
        let small = Shape(kept)
        gradient = try gradients.reshaped(gradient, small)
        let layout = try plan.operand(input).layout
        let share = Float(small.count) / Float(shape.count)
        switch function {
        case .sum: return [try gradients.spread(gradient, over: shape, preferring: layout)]
        case .mean: return [try gradients.spread(gradient, over: shape, times: share, preferring: layout)]
        case .sumOfSquares:
            let full = try gradients.spread(gradient, over: shape, times: 2, preferring: layout)
            return [try gradients.combined(.multiply, full, input)]
        case .l1:
            let full = try gradients.spread(gradient, over: shape, preferring: layout)
            let elements = try plan.plainOperand(input)
            return [
                try gradients.mapped(full, elements, elements) { gradient, x, _ in
                    x > 0 ? gradient : x < 0 ? -gradient : 0
                }
            ]
        case .l2:
            let full = try gradients.spread(gradient, over: shape, preferring: layout)
            let norm = try gradients.reshaped(gradients.producedOutput(unit), small)
            return [try gradients.mapped(full, plan.plainOperand(input), norm) { $2 == 0 ? 0 : $0 * $1 / $2 }]
        case .logSum, .logSumOfExponentials:
            let full = try gradients.spread(gradient, over: shape, preferring: layout)
            let output = try gradients.reshaped(gradients.producedOutput(unit), small)
            let isOfExponentials = function == .logSumOfExponentials
            return [
                try gradients.mapped(full, plan.plainOperand(input), output) { gradient, x, y in
                    gradient * Float(exponential(Double(isOfExponentials ? x - y : -y)))
                }
            ]
        case .max, .min:
            return [try extremum(unit, gradient, shape, small, gradients)]
        case .product:
            return [try product(unit, gradient, shape, small, gradients)]
        }
    }

    private func extremum(
        _ unit: Unit, _ gradient: Operand, _ shape: Shape, _ small: Shape, _ gradients: GradientBuilder
    ) throws -> Operand {
        let elements = try gradients.plan.plainOperand(unit.node.inputs[0])
        let best = try gradients.reshaped(gradients.producedOutput(unit), small)
        let isBest = try gradients.mapped(elements, elements, best) { $1 == $2 ? 1 : 0 }
        let count = try gradients.reduced(isBest, to: small)
        let share = try gradients.mapped(gradient, count, count) { gradient, count, _ in gradient / count }
        return try gradients.mapped(isBest, isBest, share) { $1 == 0 ? 0 : $2 }
    }

    /// Each element's gradient is the product of the others, also where some are zero.
    private func product(
        _ unit: Unit, _ gradient: Operand, _ shape: Shape, _ small: Shape, _ gradients: GradientBuilder
    ) throws -> Operand {
        let elements = try gradients.plan.plainOperand(unit.node.inputs[0])
        let layout = try MemoryDescriptor(plain: small)
        let target = gradients.plan.allocate(elements.layout)
        let (zeros, product) = (gradients.plan.allocate(layout), gradients.plan.allocate(layout))
        let walk = BroadcastWalk(of: small, in: shape)
        gradients.plan.emit([gradient, elements, target, zeros, product]) { pointers in
            let (gradient, x, result, zeros, product) = (
                pointers[0], pointers[1], pointers[2], pointers[3], pointers[4]
            )
            zeros.update(repeating: 0, count: small.count)
            product.update(repeating: 1, count: small.count)
            walk.rows { full, small, count, stride in
                for index in 0..<count {
                    let (value, place) = (x[full + index], small + index * stride)
                    if value == 0 { zeros[place] += 1 } else { product[place] *= value }
                }
            }
            walk.rows { full, small, count, stride in
                for index in 0..<count {
                    let (value, place) = (x[full + index], small + index * stride)
                    let others: Float =
                        switch (zeros[place], value) {
                        case (0, _): product[place] / value
                        case (1, 0): product[place]
                        default: 0
                        }
                    result[full + index] = gradient[place] * others
                }
            }
        }
        return target
    }
}
