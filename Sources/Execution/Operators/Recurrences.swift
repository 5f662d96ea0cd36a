import Graph
import Nodes
import Operators
import Primitives
import TensorFunctions
import Tensors

extension Recurrence: ExecutableOperator {
    /// The lengths.
    var typedInputs: Set<Int> { [4] }

    /// Each step is an instruction or two, so that more than these are computed by the definition.
    private static let mostSteps = 1 << 16

    /// What is empty has no products. What no machine has memory for is refused where the definition asks for it.
    func isExecutable(_ unit: Unit, in graph: SpecializedGraph) -> Bool {
        let shapes = unit.node.inputs.prefix(3).compactMap { graph.types[$0]?.shape }
        guard shapes.count == 3, shapes.allSatisfy({ !$0.dimensions.contains(0) }) else { return false }
        let length = isBatchFirst ? shapes[0][1] : shapes[0][0]
        let factors = [shapes[0][0] + 1, shapes[0][1] + 1, shapes[1][1], MemoryLayout<Float>.stride]
        let product = factors.reduce((1, false)) { found, factor in
            let (next, overflows) = found.0.multipliedReportingOverflow(by: factor)
            return (next, found.1 || overflows)
        }
        return length <= Self.mostSteps && !product.1 && product.0 <= 1 << 48
    }

    /// W x for all steps at once, then step by step R h and a loop over the cells.
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let form = try RecurrenceForm(self, unit, in: plan)
        let x = try timeFirst(unit, form, plan)
        let (weights, recurrent) = (
            try plan.plainOperand(unit.node.inputs[1]), try plan.plainOperand(unit.node.inputs[2])
        )
        let lengths = try lengths(unit, form, plan)
        let outputs = (0..<3).map { $0 < unit.outputs.count ? unit.outputs[$0] : "" }
        let targets = try outputs.map { name in
            name.isEmpty ? nil : plan.allocate(try MemoryDescriptor(plain: plan.shape(name)))
        }
        let rows = form.length * form.batch
        var kept: [[Operand]] = []
        for (direction, isBackward) in directions.enumerated() {
            let trace = try RecurrenceTrace(form, isTraining: plan.tape != nil, in: plan)
            try plan.emitMatrixProduct(
                x.part([rows, form.features]),
                weights.transposedPart(
                    [form.features, form.rows], width: form.features, at: direction * form.rows * form.features),
                trace.entering.part([rows, form.rows]), post: [])
            for (states, input) in [(trace.hidden, 5), (form.isLSTM ? trace.cellOrReset : nil, 6)] {
                guard let states else { continue }
                let first = form.firstState(isBackward: isBackward) * form.batch * form.units
                emitStates(
                    from: try optional(unit, input, plan), to: try states.part([form.batch, form.units], at: first),
                    form, direction, plan)
            }
            let parameters = try parameters(unit, form, direction, plan)
            try emitSteps(form, trace, direction, recurrent, parameters, lengths, plan)
            let last = form.lastState(isBackward: isBackward) * form.batch * form.units
            if let target = targets[0] {
                emitOutput(trace.hidden, to: target, form, direction, lengths, plan)
            }
            if let target = targets[1] { emitLast(trace.hidden, at: last, to: target, form, direction, plan) }
            if let target = targets[2], let cells = trace.cellOrReset {
                emitLast(cells, at: last, to: target, form, direction, plan)
            }
            kept.append(trace.operands)
        }
        plan.tape?.keep([[x], lengths.map { [$0] } ?? []] + kept, for: unit)
        for (name, target) in zip(outputs, targets) {
            if let target { plan.define(name, at: target) }
        }
    }

    private func emitSteps(
        _ form: RecurrenceForm, _ trace: RecurrenceTrace, _ direction: Int, _ recurrent: Operand,
        _ parameters: (biases: Operand?, peepholes: Operand?), _ lengths: Operand?, _ plan: PlanBuilder
    ) throws {
        let step = RecurrentStep(
            kind, functions: activations[direction], clip: clip, batch: form.batch, units: form.units)
        let start = direction * form.rows * form.units
        // All rows of R, or those of the gates alone.
        let rows = form.resetsBeforeProduct ? 2 * form.units : form.rows
        let transposed = try recurrent.transposedPart([form.units, rows], width: form.units, at: start)
        let state: Shape = [form.batch, form.units]
        let memory = try trace.remembered.columns([form.batch, rows], width: form.rows)
        let product = try Primitive.matrixProduct(
            MemoryDescriptor(plain: state), transposed.layout, to: memory.layout, post: [], engine: plan.engine)
        let resetProduct = form.resetsBeforeProduct ? plan.allocate(try MemoryDescriptor(plain: state)) : nil
        for time in form.times(isBackward: directions[direction]) {
            let operands = try RecurrentStepOperands(
                form, trace, time: time, isBackward: directions[direction], biases: parameters.biases,
                peepholes: parameters.peepholes, lengths: lengths)
            let target = try trace.remembered(form, time: time)
            plan.emit(
                product,
                [
                    (.source, operands.operands[0]), (.weights, transposed),
                    (.target, Operand(buffer: target.buffer, layout: memory.layout, offset: target.offset)),
                ])
            plan.emit(operands.operands) { pointers in
                step.forward(operands.state(pointers), isRunning: operands.isRunning(pointers))
            }
            guard let resetProduct, let reset = trace.cellOrReset else { continue }
            try plan.emitMatrixProduct(
                reset.part(state, at: time * form.batch * form.units),
                recurrent.transposedPart(
                    [form.units, form.units], width: form.units, at: start + rows * form.units),
                resetProduct, post: [])
            plan.emit(operands.operands + [resetProduct]) { pointers in
                step.finishReset(
                    operands.state(pointers), product: pointers[pointers.count - 1],
                    isRunning: operands.isRunning(pointers))
            }
        }
    }

    // MARK: Inputs

    private func optional(_ unit: Unit, _ index: Int, _ plan: PlanBuilder) throws -> Operand? {
        let inputs = unit.node.inputs
        return index < inputs.count && !inputs[index].isEmpty ? try plan.plainOperand(inputs[index]) : nil
    }

    /// Biases and peepholes of one direction.
    func parameters(
        _ unit: Unit, _ form: RecurrenceForm, _ direction: Int, _ plan: PlanBuilder
    ) throws -> (biases: Operand?, peepholes: Operand?) {
        (
            try optional(unit, 3, plan)?.part([2 * form.rows], at: direction * 2 * form.rows),
            form.isLSTM
                ? try optional(unit, 7, plan)?.part([3 * form.units], at: direction * 3 * form.units) : nil
        )
    }

    /// X as [length, batch, features].
    private func timeFirst(_ unit: Unit, _ form: RecurrenceForm, _ plan: PlanBuilder) throws -> Operand {
        let x = try plan.plainOperand(unit.node.inputs[0])
        guard form.isBatchFirst else { return x }
        let target = plan.allocate(try MemoryDescriptor(plain: [form.length, form.batch, form.features]))
        try plan.reorder(Operand(buffer: x.buffer, layout: x.layout.permuted([1, 0, 2])), to: target)
        return target
    }

    /// The lengths of the sequences as float32, which holds them exactly; nil where all are whole.
    private func lengths(_ unit: Unit, _ form: RecurrenceForm, _ plan: PlanBuilder) throws -> Operand? {
        let inputs = unit.node.inputs
        guard inputs.count > 4, !inputs[4].isEmpty else { return nil }
        let target = plan.allocate(try MemoryDescriptor(plain: [form.batch]))
        let (node, length) = (unit.node, form.length)
        plan.emit(
            [try plan.typedOperand(inputs[4])],
            [TypedOperand(buffer: target.buffer, type: ValueType(.float32, [form.batch]))]
        ) { tensors in
            let lengths = tensors[0]?.integers ?? []
            if let wrong = lengths.first(where: { !(0...length ~= $0) }) {
                throw GraphError(
                    .invalidInput, at: node, tensor: inputs[4], expected: "lengths up to \(length)", found: "\(wrong)")
            }
            return [Tensor(shape: [lengths.count], lengths.map { Float($0) })]
        }
        return target
    }

    /// The state that a direction begins with: given, or zero.
    private func emitStates(
        from given: Operand?, to target: Operand, _ form: RecurrenceForm, _ direction: Int, _ plan: PlanBuilder
    ) {
        plan.emit([target] + (given.map { [$0] } ?? [])) { pointers in
            guard pointers.count > 1 else {
                return pointers[0].update(repeating: 0, count: form.batch * form.units)
            }
            for sample in 0..<form.batch {
                (pointers[0] + sample * form.units).update(
                    from: pointers[1] + form.statePlace(direction: direction, sample: sample), count: form.units)
            }
        }
    }

    // MARK: Outputs

    /// The states behind all steps; zero where a sequence has ended.
    private func emitOutput(
        _ hidden: Operand, to target: Operand, _ form: RecurrenceForm, _ direction: Int, _ lengths: Operand?,
        _ plan: PlanBuilder
    ) {
        let isBackward = directions[direction]
        plan.emit([hidden, target] + (lengths.map { [$0] } ?? [])) { pointers in
            for time in 0..<form.length {
                let state = form.states(at: time, isBackward: isBackward).after
                for sample in 0..<form.batch {
                    let place = pointers[1] + form.outputPlace(direction: direction, time: time, sample: sample)
                    if pointers.count < 3 || pointers[2][sample] > Float(time) {
                        place.update(
                            from: pointers[0] + (state * form.batch + sample) * form.units, count: form.units)
                    } else {
                        place.update(repeating: 0, count: form.units)
                    }
                }
            }
        }
    }

    private func emitLast(
        _ states: Operand, at offset: Int, to target: Operand, _ form: RecurrenceForm, _ direction: Int,
        _ plan: PlanBuilder
    ) {
        plan.emit([states, target]) { pointers in
            for sample in 0..<form.batch {
                (pointers[1] + form.statePlace(direction: direction, sample: sample)).update(
                    from: pointers[0] + offset + sample * form.units, count: form.units)
            }
        }
    }
}
