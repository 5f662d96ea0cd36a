import Graph
import Nodes
import Operators
import Primitives
import TensorFunctions
import Tensors

/// A recurrence's extents, and where what belongs to a direction, a time and a sample lies in its inputs and outputs.
struct RecurrenceForm {
    let kind: RecurrentCells.Kind
    let length, batch, features, units, directions: Int
    let isBatchFirst: Bool

    init(_ recurrence: Recurrence, _ unit: Unit, in plan: PlanBuilder) throws {
        let (x, recurrent) = (try plan.shape(unit.node.inputs[0]), try plan.shape(unit.node.inputs[2]))
        kind = recurrence.kind
        isBatchFirst = recurrence.isBatchFirst
        (length, batch) = isBatchFirst ? (x[1], x[0]) : (x[0], x[1])
        (features, units, directions) = (x[2], recurrent[2], recurrent[0])
    }

    /// Rows of W and R for one direction.
    var rows: Int { kind.gates * units }

    /// Whether a GRU multiplies the reset state with R, and not the state.
    var resetsBeforeProduct: Bool {
        if case .gru(resetsAfterProduct: false) = kind { true } else { false }
    }

    /// Whether what R h contributes has another gradient than the rest that enters a gate.
    var separatesMemory: Bool {
        if case .gru(resetsAfterProduct: true) = kind { true } else { false }
    }

    var isLSTM: Bool {
        if case .lstm = kind { true } else { false }
    }

    /// Of the first unit in Y.
    func outputPlace(direction: Int, time: Int, sample: Int) -> Int {
        (isBatchFirst
            ? (sample * length + time) * directions + direction
            : (time * directions + direction) * batch + sample) * units
    }

    /// Of the first unit in an initial or last state.
    func statePlace(direction: Int, sample: Int) -> Int {
        (isBatchFirst ? sample * directions + direction : direction * batch + sample) * units
    }

    /// The order in which a direction goes through the times.
    func times(isBackward: Bool) -> [Int] { isBackward ? (0..<length).reversed() : Array(0..<length) }

    /// Where the states before and behind a time lie among the `length + 1` states of a direction, in states.
    func states(at time: Int, isBackward: Bool) -> (before: Int, after: Int) {
        isBackward ? (time + 1, time) : (time, time + 1)
    }

    /// The state that a direction begins with.
    func firstState(isBackward: Bool) -> Int { isBackward ? length : 0 }

    /// The state that it ends with.
    func lastState(isBackward: Bool) -> Int { isBackward ? 0 : length }
}

/// What the forward pass of one direction leaves for the way back, and both work on.
struct RecurrenceTrace {
    /// [length, batch, rows]: what enters the gates, and what their functions give.
    let entering, gates: Operand
    /// R h: [batch, rows], of every time where the way back reads it.
    let remembered: Operand
    /// [length + 1, batch, units]
    let hidden: Operand
    /// [length + 1, batch, units] of LSTM; [length, batch, units] of a GRU that resets before the product.
    let cellOrReset: Operand?

    var operands: [Operand] { [entering, gates, remembered, hidden] + (cellOrReset.map { [$0] } ?? []) }

    init(_ operands: [Operand]) {
        (entering, gates, remembered, hidden) = (operands[0], operands[1], operands[2], operands[3])
        cellOrReset = operands.count > 4 ? operands[4] : nil
    }

    init(_ form: RecurrenceForm, isTraining: Bool, in plan: PlanBuilder) throws {
        let (time, state) = (form.batch * form.rows, form.batch * form.units)
        func memory(_ count: Int) throws -> Operand { plan.allocate(try MemoryDescriptor(plain: [count])) }
        entering = try memory(form.length * time)
        gates = isTraining ? try memory(form.length * time) : entering
        remembered = try memory(isTraining && form.separatesMemory ? form.length * time : time)
        hidden = try memory((form.length + 1) * state)
        cellOrReset =
            form.isLSTM
            ? try memory((form.length + 1) * state)
            : form.resetsBeforeProduct ? try memory(form.length * state) : nil
    }

    /// R h of a time.
    func remembered(_ form: RecurrenceForm, time: Int) throws -> Operand {
        let size = form.batch * form.rows
        return try remembered.part(
            [form.batch, form.rows], at: remembered.layout.shape.count == size ? 0 : time * size)
    }
}

/// The operands of a loop, and what they are at one step of a direction.
struct RecurrentStepOperands {
    private(set) var operands: [Operand] = []
    private let hidden, newHidden, entering, gates, remembered: Int
    private let cell, newCell, reset, biases, peepholes, lengths: Int?
    private let time: Int

    init(
        _ form: RecurrenceForm, _ trace: RecurrenceTrace, time: Int, isBackward: Bool, biases: Operand?,
        peepholes: Operand?, lengths: Operand?
    ) throws {
        var list: [Operand] = []
        func add(_ operand: Operand) -> Int {
            list.append(operand)
            return list.count - 1
        }
        let (states, state) = (form.states(at: time, isBackward: isBackward), form.batch * form.units)
        let shape: Shape = [form.batch, form.units]
        hidden = add(try trace.hidden.part(shape, at: states.before * state))
        newHidden = add(try trace.hidden.part(shape, at: states.after * state))
        let offset = time * form.batch * form.rows
        entering = add(try trace.entering.part([form.batch, form.rows], at: offset))
        gates = add(try trace.gates.part([form.batch, form.rows], at: offset))
        remembered = add(try trace.remembered(form, time: time))
        let extra = trace.cellOrReset
        cell = form.isLSTM ? try extra.map { add(try $0.part(shape, at: states.before * state)) } : nil
        newCell = form.isLSTM ? try extra.map { add(try $0.part(shape, at: states.after * state)) } : nil
        reset = form.isLSTM ? nil : try extra.map { add(try $0.part(shape, at: time * state)) }
        self.biases = biases.map(add)
        self.peepholes = peepholes.map(add)
        self.lengths = lengths.map(add)
        self.time = time
        operands = list
    }

    func state(_ pointers: [UnsafeMutablePointer<Float>]) -> RecurrentStep.State {
        var state = RecurrentStep.State(
            hidden: pointers[hidden], newHidden: pointers[newHidden], entering: pointers[entering],
            gates: pointers[gates], remembered: pointers[remembered])
        state.cell = cell.map { pointers[$0] }
        state.newCell = newCell.map { pointers[$0] }
        state.reset = reset.map { pointers[$0] }
        state.biases = biases.map { pointers[$0] }
        state.peepholes = peepholes.map { pointers[$0] }
        return state
    }

    /// Whether a sample's sequence has this time.
    func isRunning(_ pointers: [UnsafeMutablePointer<Float>]) -> (Int) -> Bool {
        guard let lengths else { return { _ in true } }
        return { [time] in pointers[lengths][$0] > Float(time) }
    }
}

extension Operand {
    /// Row-major elements from `offset` on, in elements.
    func part(_ shape: Shape, at offset: Int = 0) throws -> Operand {
        Operand(buffer: buffer, layout: try MemoryDescriptor(plain: shape), offset: self.offset + offset)
    }

    /// A matrix within row-major rows of `width` elements, read with rows and columns exchanged.
    func transposedPart(_ shape: Shape, width: Int, at offset: Int = 0) throws -> Operand {
        Operand(
            buffer: buffer, layout: try MemoryDescriptor(shape: shape, strides: [1, width]),
            offset: self.offset + offset)
    }

    /// A matrix within row-major rows of `width` elements.
    func columns(_ shape: Shape, width: Int, at offset: Int = 0) throws -> Operand {
        Operand(
            buffer: buffer, layout: try MemoryDescriptor(shape: shape, strides: [width, 1]),
            offset: self.offset + offset)
    }
}
