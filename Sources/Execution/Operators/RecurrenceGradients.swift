import Graph
import Nodes
import Operators
import Primitives
import TensorFunctions
import Tensors

extension Recurrence: DifferentiableOperator {
    /// Back through time, one direction after the other: the steps give the gradient of what enters the gates, from which the
    /// gradients of inputs and weights are one product each over all steps.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        let plan = gradients.plan
        let form = try RecurrenceForm(self, unit, in: plan)
        let kept = try gradients.tape.kept(for: unit)
        let plainOutputs = try outputs.map { try $0.map(gradients.plain) }
        func wanted(_ index: Int) throws -> Operand? {
            guard gradients.isNeeded(unit, index) else { return nil }
            return plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.node.inputs[index])))
        }
        let way = RecurrenceWayBack(
            form: form, x: kept[0][0], lengths: kept[1].first,
            weights: try plan.plainOperand(unit.node.inputs[1]), recurrent: try plan.plainOperand(unit.node.inputs[2]),
            outputs: (0..<3).map { $0 < plainOutputs.count ? plainOutputs[$0] : nil },
            targets: try (0..<8).map { $0 == 4 ? nil : try wanted($0) }, plan: plan)
        var ofInput: Operand?
        for (direction, isBackward) in directions.enumerated() {
            let step = RecurrentStep(
                kind, functions: activations[direction], clip: clip, batch: form.batch, units: form.units)
            let part = try way.build(
                step, RecurrenceTrace(kept[direction + 2]), direction, isBackward: isBackward,
                parameters(unit, form, direction, plan))
            if let sum = ofInput, let part {
                try plan.emitBinary(.add, sum, part, to: sum, post: [])
            } else {
                ofInput = part
            }
        }
        var results = way.targets
        if let sum = ofInput, let target = results[0] {
            let shape: Shape = [form.length, form.batch, form.features]
            let layout = try MemoryDescriptor(plain: shape)
            let read = Operand(
                buffer: sum.buffer, layout: form.isBatchFirst ? try layout.permuted([1, 0, 2]) : layout)
            if form.isBatchFirst { try plan.reorder(read, to: target) } else { results[0] = read }
        }
        return Array(results.prefix(unit.node.inputs.count))
    }
}

/// The gradients of a recurrence.
private struct RecurrenceWayBack {
    let form: RecurrenceForm
    /// [length, batch, features], and what else the forward pass read.
    let x: Operand
    let lengths: Operand?
    let weights, recurrent: Operand
    /// The gradients of the outputs, row-major; nil for zero.
    let outputs: [Operand?]
    /// Where those of the inputs go, row-major; nil where they are not wanted. That of X is returned by `build`.
    let targets: [Operand?]
    let plan: PlanBuilder

    private func memory(_ shape: Shape) throws -> Operand { plan.allocate(try MemoryDescriptor(plain: shape)) }

    /// - Returns: what the direction contributes to the gradient of X, as [length * batch, features].
    func build(
        _ step: RecurrentStep, _ trace: RecurrenceTrace, _ direction: Int, isBackward: Bool,
        _ parameters: (biases: Operand?, peepholes: Operand?)
    ) throws -> Operand? {
        let entering = try memory([form.length * form.batch, form.rows])
        let remembered = form.separatesMemory ? try memory([form.length * form.batch, form.rows]) : nil
        let peepholes = try targets[7]?.part([3 * form.units], at: direction * 3 * form.units)
        if let peepholes { plan.emit([peepholes]) { $0[0].update(repeating: 0, count: 3 * form.units) } }
        let (product, beside) = (try memory([form.batch, form.units]), try memory([form.batch, form.units]))
        let cell = form.isLSTM ? try memory([form.batch, form.units]) : nil
        plan.emit([product]) { $0[0].update(repeating: 0, count: form.batch * form.units) }
        emitStates(from: outputs[1], to: beside, direction)
        if let cell { emitStates(from: outputs[2], to: cell, direction) }

        let reset = form.resetsBeforeProduct ? try memory([form.batch, form.units]) : nil
        let start = direction * form.rows * form.units
        for time in form.times(isBackward: !isBackward) {
            let operands = try RecurrentStepOperands(
                form, trace, time: time, isBackward: isBackward, biases: parameters.biases,
                peepholes: parameters.peepholes, lengths: lengths)
            let offset = time * form.batch * form.rows
            let current = try entering.part([form.batch, form.rows], at: offset)
            var flows = [product, beside, current]
            func add(_ operand: Operand?) -> Int? {
                guard let operand else { return nil }
                flows.append(operand)
                return flows.count - 1
            }
            let ofCell = add(cell)
            let ofMemory = add(try remembered?.part([form.batch, form.rows], at: offset))
            let (ofPeepholes, ofOutput) = (add(peepholes), add(outputs[0]))
            let first = operands.operands.count
            func flow(_ pointers: [UnsafeMutablePointer<Float>]) -> RecurrentStep.Flow {
                var flow = RecurrentStep.Flow(
                    product: pointers[first], beside: pointers[first + 1], entering: pointers[first + 2])
                flow.cell = ofCell.map { pointers[first + $0] }
                flow.remembered = ofMemory.map { pointers[first + $0] }
                flow.peepholes = ofPeepholes.map { pointers[first + $0] }
                return flow
            }
            plan.emit(operands.operands + flows) { [form] pointers in
                step.backward(
                    operands.state(pointers), flow(pointers), isRunning: operands.isRunning(pointers),
                    output: { sample in
                        ofOutput.map {
                            pointers[first + $0]
                                + form.outputPlace(direction: direction, time: time, sample: sample)
                        }
                    })
            }
            if let reset {
                // First through the new state's part of R to the reset state, then through the gates' parts.
                try plan.emitMatrixProduct(
                    current.columns([form.batch, form.units], width: form.rows, at: 2 * form.units),
                    recurrent.part([form.units, form.units], at: start + 2 * form.units * form.units), reset,
                    post: [])
                plan.emit(operands.operands + flows + [reset]) { pointers in
                    step.finishResetBackward(
                        operands.state(pointers), flow(pointers), product: pointers[pointers.count - 1],
                        isRunning: operands.isRunning(pointers))
                }
                try plan.emitMatrixProduct(
                    current.columns([form.batch, 2 * form.units], width: form.rows),
                    recurrent.part([2 * form.units, form.units], at: start), product, post: [])
            } else {
                let source = try remembered?.part([form.batch, form.rows], at: offset) ?? current
                try plan.emitMatrixProduct(
                    source, recurrent.part([form.rows, form.units], at: start), product, post: [])
            }
        }
        if let target = targets[5] { emitInitial([beside, product], to: target, direction) }
        if let target = targets[6], let cell { emitInitial([cell], to: target, direction) }
        try buildParameters(trace, entering, remembered ?? entering, direction, isBackward: isBackward)
        guard targets[0] != nil else { return nil }
        let result = try memory([form.length * form.batch, form.features])
        try plan.emitMatrixProduct(
            entering, weights.part([form.rows, form.features], at: direction * form.rows * form.features), result,
            post: [])
        return result
    }

    /// The gradients of W, R and B: products, and sums, over all steps.
    private func buildParameters(
        _ trace: RecurrenceTrace, _ entering: Operand, _ remembered: Operand, _ direction: Int, isBackward: Bool
    ) throws {
        let (steps, rows, units) = (form.length * form.batch, form.rows, form.units)
        if let target = targets[1] {
            try plan.emitMatrixProduct(
                entering.transposedPart([rows, steps], width: rows), x.part([steps, form.features]),
                target.part([rows, form.features], at: direction * rows * form.features), post: [])
        }
        if let target = targets[2] {
            let states = try trace.hidden.part([steps, units], at: isBackward ? form.batch * units : 0)
            let start = direction * rows * units
            if form.resetsBeforeProduct, let reset = trace.cellOrReset {
                try plan.emitMatrixProduct(
                    entering.transposedPart([2 * units, steps], width: rows), states,
                    target.part([2 * units, units], at: start), post: [])
                try plan.emitMatrixProduct(
                    entering.transposedPart([units, steps], width: rows, at: 2 * units),
                    reset.part([steps, units]), target.part([units, units], at: start + 2 * units * units), post: [])
            } else {
                try plan.emitMatrixProduct(
                    remembered.transposedPart([rows, steps], width: rows), states,
                    target.part([rows, units], at: start), post: [])
            }
        }
        if let target = targets[3] {
            let sums = try target.part([2 * rows], at: direction * 2 * rows)
            plan.emit([entering, remembered, sums]) { pointers in
                for (part, source) in [pointers[0], pointers[1]].enumerated() {
                    let sums = pointers[2] + part * rows
                    sums.update(repeating: 0, count: rows)
                    for step in 0..<steps {
                        for row in 0..<rows { sums[row] += source[step * rows + row] }
                    }
                }
            }
        }
    }

    /// The gradient of a last state as the way back begins with it.
    private func emitStates(from gradient: Operand?, to target: Operand, _ direction: Int) {
        plan.emit([target] + (gradient.map { [$0] } ?? [])) { [form] pointers in
            guard pointers.count > 1 else {
                return pointers[0].update(repeating: 0, count: form.batch * form.units)
            }
            for sample in 0..<form.batch {
                (pointers[0] + sample * form.units).update(
                    from: pointers[1] + form.statePlace(direction: direction, sample: sample), count: form.units)
            }
        }
    }

    /// The gradient of an initial state: the sum of what is left.
    private func emitInitial(_ parts: [Operand], to target: Operand, _ direction: Int) {
        plan.emit([target] + parts) { [form] pointers in
            for sample in 0..<form.batch {
                let place = pointers[0] + form.statePlace(direction: direction, sample: sample)
                for unit in 0..<form.units {
                    place[unit] = pointers.dropFirst().reduce(0) { $0 + $1[sample * form.units + unit] }
                }
            }
        }
    }
}
