import Graph
import Nodes
import Operators
import Primitives
import TensorFunctions
import Tensors

// Normalizations that oneDNN lacks, or has in fewer forms: rows, each normalized by itself.

/// What a normalization works on: rows, row-major, the axes that are normalized over last.
struct NormalizedRows {
    let function: RowNormalization
    /// The order of the input's axes in which each row lies together; nil where that is as they are.
    var order: [Int]?
    /// The shape that scale and shift are broadcast to, where they are.
    var parameters: Shape?
}

extension PlanBuilder {
    /// Computes the unit's outputs from rows.
    fileprivate func buildRows(_ rows: NormalizedRows, _ unit: Unit) throws {
        let shape = try shape(unit.outputs[0])
        let x = try rowOperand(plainOperand(unit.node.inputs[0]), rows)
        var operands = [x, allocate(x.layout)]
        func add(_ operand: Operand?) -> Int? {
            guard let operand else { return nil }
            operands.append(operand)
            return operands.count - 1
        }
        let (scale, shift) = (add(try rowParameter(unit, 1, rows)), add(try rowParameter(unit, 2, rows)))
        let statistics = try unit.outputs.dropFirst().map { name -> Int? in
            guard !name.isEmpty else { return nil }
            let target = allocate(try MemoryDescriptor(plain: self.shape(name)))
            return add(target)
        }
        emit(operands) { pointers in
            rows.function.forward(
                pointers[0], scale: scale.map { UnsafePointer(pointers[$0]) },
                shift: shift.map { UnsafePointer(pointers[$0]) }, to: pointers[1],
                means: statistics.first.flatMap(\.self).map { pointers[$0] },
                inverses: statistics.dropFirst().first.flatMap(\.self).map { pointers[$0] })
        }
        var y = operands[1]
        if let order = rows.order {
            y = allocate(try MemoryDescriptor(plain: shape))
            let read = try operands[1].layout.permuted(order.indices.map { order.firstIndex(of: $0) ?? 0 })
            try reorder(Operand(buffer: operands[1].buffer, layout: read), to: y)
        }
        define(unit.outputs[0], at: y)
        for (name, index) in zip(unit.outputs.dropFirst(), statistics) {
            if let index { define(name, at: operands[index]) }
        }
    }

    /// The rows of a row-major value.
    fileprivate func rowOperand(_ operand: Operand, _ rows: NormalizedRows) throws -> Operand {
        guard let order = rows.order else { return operand }
        let shape = operand.layout.shape
        let target = allocate(try MemoryDescriptor(plain: Shape(order.map { shape[$0] })))
        try reorder(Operand(buffer: operand.buffer, layout: operand.layout.permuted(order)), to: target)
        return target
    }

    /// A scale or shift, broadcast where that is wanted; nil where there is none.
    fileprivate func rowParameter(_ unit: Unit, _ index: Int, _ rows: NormalizedRows) throws -> Operand? {
        guard index < unit.node.inputs.count, !unit.node.inputs[index].isEmpty else { return nil }
        let source = try plainOperand(unit.node.inputs[index])
        guard let full = rows.parameters, source.layout.shape.count != full.count else { return source }
        let target = allocate(try MemoryDescriptor(plain: full))
        let places = BroadcastIndices(of: source.layout.shape, in: full)
        emit([source, target]) { pointers in
            for index in 0..<full.count { pointers[1][index] = pointers[0][places[index]] }
        }
        return target
    }
}

extension GradientBuilder {
    /// The gradients of the unit's inputs: data, scale, shift.
    fileprivate func rowGradients(
        _ rows: NormalizedRows, _ unit: Unit, of outputs: [Operand?]
    ) throws -> [Operand?] {
        let x = try plan.rowOperand(plan.plainOperand(unit.node.inputs[0]), rows)
        var operands = [x]
        func add(_ operand: Operand?) -> Int? {
            guard let operand else { return nil }
            operands.append(operand)
            return operands.count - 1
        }
        func output(_ index: Int) throws -> Operand? {
            index < outputs.count ? try outputs[index].map(plain) : nil
        }
        func parameter(_ index: Int) throws -> Operand? {
            guard isNeeded(unit, index) else { return nil }
            let shape = try rows.parameters ?? plan.shape(unit.node.inputs[index])
            return plan.allocate(try MemoryDescriptor(plain: shape))
        }
        let scale = add(try plan.rowParameter(unit, 1, rows))
        let ofY = add(try output(0).map { try plan.rowOperand($0, rows) })
        let (ofMeans, ofInverses) = (add(try output(1)), add(try output(2)))
        let ofX = isNeeded(unit, 0) ? add(plan.allocate(x.layout)) : nil
        let (ofScale, ofShift) = (add(try parameter(1)), add(try parameter(2)))
        plan.emit(operands) { pointers in
            var gradients = RowNormalization.Gradients(
                y: ofY.map { UnsafePointer(pointers[$0]) }, x: ofX.map { pointers[$0] })
            gradients.means = ofMeans.map { UnsafePointer(pointers[$0]) }
            gradients.inverses = ofInverses.map { UnsafePointer(pointers[$0]) }
            gradients.scale = ofScale.map { pointers[$0] }
            gradients.shift = ofShift.map { pointers[$0] }
            rows.function.backward(pointers[0], scale: scale.map { UnsafePointer(pointers[$0]) }, gradients)
        }
        var results: [Operand?] = [ofX.map { operands[$0] }]
        if let order = rows.order, let result = results[0] {
            let inverse = order.indices.map { order.firstIndex(of: $0) ?? 0 }
            let target = plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.node.inputs[0])))
            try plan.reorder(Operand(buffer: result.buffer, layout: result.layout.permuted(inverse)), to: target)
            results[0] = target
        }
        for (index, found) in [(1, ofScale), (2, ofShift)] where index < unit.node.inputs.count {
            results.append(try found.map { try reduced(operands[$0], to: plan.shape(unit.node.inputs[index])) })
        }
        return results
    }
}

extension LayerNormalization {
    private func rows(_ unit: Unit, _ plan: PlanBuilder) throws -> NormalizedRows {
        let shape = try plan.shape(unit.node.inputs[0])
        let inner = Shape(Array(shape.dimensions[resolvedAxis(rank: shape.rank)...]))
        let function = RowNormalization(
            .variance(epsilon: epsilon), rows: shape.count / max(inner.count, 1), size: inner.count)
        return NormalizedRows(function: function, parameters: inner)
    }

    func buildRows(_ unit: Unit, in plan: PlanBuilder) throws { try plan.buildRows(rows(unit, plan), unit) }

    func buildRowGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try gradients.rowGradients(rows(unit, gradients.plan), unit, of: outputs)
    }
}

extension GroupedNormalization: DifferentiableOperator {
    private func rows(_ unit: Unit, _ plan: PlanBuilder) throws -> NormalizedRows {
        let shape = try plan.shape(unit.node.inputs[0])
        let groups = groups(channels: shape[1])
        let pixels = shape.dimensions[2...].reduce(1, *)
        let size = shape[1] / groups * pixels
        return NormalizedRows(
            function: RowNormalization(
                .variance(epsilon: epsilon), rows: shape[0] * groups, size: size, run: isPerGroup ? size : pixels,
                period: groups))
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws { try plan.buildRows(rows(unit, plan), unit) }

    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try gradients.rowGradients(rows(unit, gradients.plan), unit, of: outputs)
    }
}

extension NormNormalization: DifferentiableOperator {
    private func rows(_ unit: Unit, _ plan: PlanBuilder) throws -> NormalizedRows {
        let shape = try plan.shape(unit.node.inputs[0])
        let axes: [Int]
        let spread: RowNormalization.Spread
        switch kind {
        case .norm(let axis, let order):
            axes = [try unit.node.resolveAxis(axis, rank: shape.rank)]
            spread = order == 1 ? .sumOfMagnitudes : .norm
        case .rootMeanSquare(let axis, let epsilon):
            axes = Array(try unit.node.resolveAxis(axis, rank: shape.rank)..<shape.rank)
            spread = .meanOfSquares(epsilon: epsilon)
        case .meanAndVariance(let given):
            axes = try unit.node.resolveAxes(given, rank: shape.rank)
            spread = .deviation(epsilon: 1e-9)
        }
        let order = shape.dimensions.indices.filter { !axes.contains($0) } + axes
        let inner = Shape(axes.map { shape[$0] })
        return NormalizedRows(
            function: RowNormalization(spread, rows: shape.count / max(inner.count, 1), size: inner.count),
            order: order == Array(0..<shape.rank) ? nil : order, parameters: inner)
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws { try plan.buildRows(rows(unit, plan), unit) }

    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try gradients.rowGradients(rows(unit, gradients.plan), unit, of: outputs)
    }
}
