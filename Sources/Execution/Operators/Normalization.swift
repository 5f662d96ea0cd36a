import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension BatchNormalization: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        // Where zeros fill up the last block of channels, oneDNN 2.6 normalizes these zeros too, with what lies behind the
        // statistics.
        let given = try plan.operand(unit.node.inputs[0])
        let source = given.layout.paddingCount > 0 ? try plan.plainOperand(unit.node.inputs[0]) : given
        let usesBatch = plan.usesBatchStatistics(unit)
        let primitive = try Primitive.batchNormalization(
            source.layout, epsilon: epsilon, batchStatistics: usesBatch, propagation: plan.propagation,
            engine: plan.engine)
        let target = try plan.allocate(source.layout, overwriting: unit.node.inputs[0], usedBy: unit)
        let statistics =
            usesBatch
            ? try [3, 4].map { plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.node.inputs[$0]))) }
            : try [3, 4].map { try plan.plainOperand(unit.node.inputs[$0]) }
        plan.emit(
            primitive,
            [
                (.source, source), (.scale, try plan.plainOperand(unit.node.inputs[1])),
                (.shift, try plan.plainOperand(unit.node.inputs[2])), (.mean, statistics[0]),
                (.variance, statistics[1]), (.target, target),
            ], for: unit)
        if usesBatch {
            let channels = statistics[0].layout.shape.count
            let count = source.layout.shape.count / max(channels, 1)
            guard count > 1 else {
                throw ExecutionError(
                    .unsupportedForm, tensor: unit.node.inputs[0],
                    expected: "more than one value per channel for the statistics of a batch", found: "\(count)")
            }
            plan.emitStatistics(unit.outputs[0], mean: statistics[0], variance: statistics[1], valuesPerChannel: count)
        }
        plan.define(unit.outputs[0], at: target)
    }
}

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
        let source = try record[.source]
        let primitive = try Primitive.batchNormalizationGradient(
            source.layout, epsilon: epsilon, batchStatistics: plan.usesBatchStatistics(unit),
            forward: record.primitive, engine: plan.engine)
        let target = plan.allocate(source.layout)
        let vector = try record[.scale].layout
        // Also where scale and shift are not trained.
        let (scale, shift) = (plan.allocate(vector), plan.allocate(vector))
        plan.emit(
            primitive,
            [
                (.source, source), (.mean, try record[.mean]),
                (.variance, try record[.variance]), (.scale, try record[.scale]),
                (.targetGradient, try gradients.converted(gradient, to: source.layout)),
                (.sourceGradient, target), (.shift, try record[.shift]),
                (.scaleGradient, scale), (.shiftGradient, shift),
            ])
        return [target, scale, shift]
    }
}

extension LayerNormalization: ExecutableOperator {
    /// Whether oneDNN computes it: it gives no statistics, and takes a scale and a shift for each element.
    private func isPrimitive(_ unit: Unit, _ plan: PlanBuilder) throws -> Bool {
        let shape = try plan.shape(unit.node.inputs[0])
        let inner = shape.dimensions[resolvedAxis(rank: shape.rank)...].reduce(1, *)
        return try unit.outputs.dropFirst().allSatisfy(\.isEmpty)
            && unit.node.inputs.dropFirst().allSatisfy { try $0.isEmpty || plan.shape($0).count == inner }
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        guard try isPrimitive(unit, plan) else { return try buildRows(unit, in: plan) }
        let input = unit.node.inputs[0]
        let shape = try plan.shape(input)
        let start = axis < 0 ? axis + shape.rank : axis
        let inner = shape.dimensions[start...].reduce(1, *)
        let rows = try MemoryDescriptor(plain: [shape.count / max(inner, 1), inner])
        let vector = try MemoryDescriptor(plain: [inner])
        let source = Operand(buffer: try plan.plainOperand(input).buffer, layout: rows)
        let statistics = try MemoryDescriptor(plain: [rows.shape[0]])
        let hasBias = unit.node.inputs.count > 2 && !unit.node.inputs[2].isEmpty
        let primitive = try Primitive.layerNormalization(
            rows, statistics: statistics, epsilon: epsilon, hasShift: hasBias, propagation: plan.propagation,
            engine: plan.engine)
        let target = plan.allocate(rows)
        func parameter(_ index: Int) throws -> Operand {
            Operand(buffer: try plan.plainOperand(unit.node.inputs[index]).buffer, layout: vector)
        }
        var arguments: [(argument: Argument, operand: Operand)] = [
            (.source, source), (.scale, try parameter(1)), (.target, target),
        ]
        if hasBias { arguments.append((.shift, try parameter(2))) }
        if plan.tape != nil {
            arguments.append((.mean, plan.allocate(statistics)))
            arguments.append((.variance, plan.allocate(statistics)))
        }
        plan.emit(primitive, arguments, for: unit)
        plan.define(
            unit.outputs[0], at: Operand(buffer: target.buffer, layout: try MemoryDescriptor(plain: shape)))
    }
}

extension LayerNormalization: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        let plan = gradients.plan
        guard try isPrimitive(unit, plan) else { return try buildRowGradient(unit, of: outputs, in: gradients) }
        guard let gradient = outputs[0] else { return [] }
        let record = try gradients.tape.record(of: unit)
        let (source, scale) = (try record[.source], try record[.scale])
        let (mean, variance) = (try record[.mean], try record[.variance])
        let hasBias = unit.node.inputs.count > 2 && !unit.node.inputs[2].isEmpty
        let primitive = try Primitive.layerNormalizationGradient(
            source.layout, statistics: mean.layout, epsilon: epsilon, hasShift: hasBias, forward: record.primitive,
            engine: plan.engine)
        let target = plan.allocate(source.layout)
        let (diffScale, diffShift) = (plan.allocate(scale.layout), plan.allocate(scale.layout))
        var arguments: [(argument: Argument, operand: Operand)] = [
            (.source, source), (.mean, mean), (.variance, variance), (.scale, scale),
            (.targetGradient, try gradients.reshaped(gradient, source.layout.shape)), (.sourceGradient, target),
            (.scaleGradient, diffScale),
        ]
        if hasBias { arguments += [(.shift, try record[.shift]), (.shiftGradient, diffShift)] }
        plan.emit(primitive, arguments)
        var result: [Operand?] = [try gradients.reshaped(target, plan.shape(unit.node.inputs[0]))]
        result.append(try gradients.reshaped(diffScale, plan.shape(unit.node.inputs[1])))
        if hasBias { result.append(try gradients.reshaped(diffShift, plan.shape(unit.node.inputs[2]))) }
        return result
    }
}

extension LocalResponseNormalization: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.operand(unit.node.inputs[0])
        let primitive = try Primitive.localResponseNormalization(
            source.layout, parameters, propagation: plan.propagation, engine: plan.engine)
        let target = plan.allocate(source.layout)
        var arguments: [(argument: Argument, operand: Operand)] = [(.source, source), (.target, target)]
        if plan.tape != nil {
            arguments.append((.workspace, try plan.allocate(primitive.layout(.workspace))))
        }
        plan.emit(primitive, arguments, for: unit)
        plan.define(unit.outputs[0], at: target)
    }

    private var parameters: Primitive.ResponseParameters { .init(size: size, alpha: alpha, beta: beta, bias: bias) }
}

extension LocalResponseNormalization: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let record = try gradients.tape.record(of: unit)
        let source = try record[.source]
        let primitive = try Primitive.localResponseNormalizationGradient(
            source.layout, parameters, forward: record.primitive, engine: plan.engine)
        let target = plan.allocate(source.layout)
        plan.emit(
            primitive,
            [
                (.source, source), (.workspace, try record[.workspace]),
                (.targetGradient, try gradients.converted(gradient, to: source.layout)),
                (.sourceGradient, target),
            ])
        return [target]
    }
}
