import Definitions
import Graph
import Nodes
import Operators
import Primitives
import Tensors

/// Collects the instructions and buffers of a plan, unit by unit.
final class PlanBuilder {
    let graph: SpecializedGraph
    let engine: Engine
    private(set) var instructions: [Instruction] = []
    private(set) var buffers: [Buffer] = []
    private(set) var scratchpadByteCount = 0
    /// What the backward pass needs to know of the forward pass; nil in a plan that has none.
    let tape: Tape?
    private let weights: WeightStore
    private let taps: Set<String>
    /// Where each defined value lies.
    private var values: [String: Operand] = [:]
    /// Where values lie that are not float32, and constants that are read as they are.
    private var typedValues: [String: TypedOperand] = [:]
    /// Copies of values in other layouts.
    private var copies: [String: [Operand]] = [:]
    /// Uses of each value that are still to come; a graph output is one use that never ends.
    private var pendingUses: [String: Int]
    /// The values that a buffer holds and that are used again: several where they are the same elements under other shapes.
    private var residents: [Int: Set<String>] = [:]

    init(
        graph: SpecializedGraph, units: [Unit], weights: WeightStore, taps: Set<String>, tape: Tape? = nil,
        engine: Engine
    ) {
        self.graph = graph
        self.tape = tape
        self.weights = weights
        self.taps = taps
        self.engine = engine
        var counts: [String: Int] = [:]
        for input in units.flatMap(\.inputs) { counts[input, default: 0] += 1 }
        for output in graph.outputs { counts[output, default: 0] += 1 }
        pendingUses = counts
    }

    /// Compiles a unit; units come in the order in which they are computed.
    /// - Throws: `ExecutionError` naming the unit's node.
    func add(_ unit: Unit) throws {
        try naming(unit) {
            if let executable = unit.operator as? any ExecutableOperator, !unit.isEvaluated(in: graph) {
                try executable.build(unit, in: self)
            } else if let evaluated = unit.operator as? any EvaluatedOperator {
                try buildEvaluation(unit, evaluated)
            } else {
                throw ExecutionError(.unsupportedForm)
            }
        }
        for input in unit.inputs { pendingUses[input, default: 0] -= 1 }
    }

    /// Adds the unit's node to errors that do not name one.
    func naming<Result>(_ unit: Unit, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch var error as ExecutionError {
            error.node = error.node ?? unit.node.name
            error.opType = error.opType ?? unit.node.opType
            throw error
        }
    }

    // MARK: Values

    /// - Throws: `ExecutionError` `.unsupportedForm` for values that are not of float32.
    func shape(_ value: String) throws -> Shape {
        guard let type = graph.types[value] else {
            throw ExecutionError(.unsupportedForm, tensor: value, expected: "a known shape")
        }
        guard type.elementType == .float32 else {
            throw ExecutionError(
                .unsupportedForm, tensor: value, expected: ElementType.float32.rawValue,
                found: type.elementType.rawValue)
        }
        return type.shape
    }

    func constant(_ value: String) -> Tensor? { graph.constants[value] }

    /// How primitives of the forward pass are to be made.
    var propagation: Propagation { tape == nil ? .inference : .training }

    /// Whether the unit is a batch normalization that computes with the statistics of its input.
    func usesBatchStatistics(_ unit: Unit) -> Bool { tape?.batchStatistics.contains(unit.outputs[0]) == true }

    func operatorInputs(_ unit: Unit) -> [OperatorInput?] {
        unit.node.inputs.map { name in
            graph.types[name].map { OperatorInput(name: name, type: $0, constant: graph.constants[name]) }
        }
    }

    /// The value in the layout in which it was computed.
    func operand(_ value: String) throws -> Operand {
        if let operand = values[value] { return operand }
        if let tape, tape.parameters.contains(value) {
            let operand = allocate(try MemoryDescriptor(plain: shape(value)))
            instructions.append(.parameter(value, operand))
            define(value, at: operand)
            return operand
        }
        guard let tensor = graph.constants[value] else {
            throw ExecutionError(.unsupportedForm, tensor: value, expected: "a value that is already computed")
        }
        let operand = try weight(value, tensor, as: MemoryDescriptor(plain: shape(value)))
        values[value] = operand
        return operand
    }

    /// The value in `layout`, copied into it if need be.
    func operand(_ value: String, as layout: MemoryDescriptor) throws -> Operand {
        if let tensor = graph.constants[value] { return try weight(value, tensor, as: layout) }
        let original = try operand(value)
        if original.layout == layout { return original }
        if let copy = copies[value]?.first(where: { $0.layout == layout }) { return copy }
        let copy = allocate(layout)
        try reorder(original, to: copy)
        copies[value, default: []].append(copy)
        // Another value may come to lie there too, and must not be overwritten as long as this one may be read there.
        residents[copy.buffer] = [value]
        return copy
    }

    /// The value in row-major order.
    func plainOperand(_ value: String) throws -> Operand {
        try operand(value, as: MemoryDescriptor(plain: shape(value)))
    }

    /// A parameter of a primitive under another shape of the same row-major elements; copied once if it is constant,
    /// else in every run.
    func parameter(_ value: String, reshaped shape: Shape, as layout: MemoryDescriptor) throws -> Operand {
        if let tensor = graph.constants[value] {
            return try weight(value, tensor, as: layout, from: MemoryDescriptor(plain: shape))
        }
        let plain = Operand(buffer: try plainOperand(value).buffer, layout: try MemoryDescriptor(plain: shape))
        guard plain.layout != layout else { return plain }
        let copy = allocate(layout)
        try reorder(plain, to: copy)
        return copy
    }

    /// A value of any type in row-major order.
    func typedOperand(_ value: String) throws -> TypedOperand {
        if let operand = typedValues[value] { return operand }
        guard let type = graph.types[value] else {
            throw ExecutionError(.unsupportedForm, tensor: value, expected: "a known shape")
        }
        if let tensor = graph.constants[value] {
            // The tensor itself is what lies there.
            buffers.append(.constant(tensor.borrowed))
            let operand = TypedOperand(buffer: buffers.count - 1, type: type)
            typedValues[value] = operand
            return operand
        }
        guard type.elementType == .float32 else {
            throw ExecutionError(.unsupportedForm, tensor: value, expected: "a value that is already computed")
        }
        return TypedOperand(buffer: try plainOperand(value).buffer, type: type)
    }

    /// The layout that a value's gradient has at best: that of the value, or row-major for one of another type than float32,
    /// whose gradient is of float32 too.
    func gradientLayout(_ value: String) throws -> MemoryDescriptor {
        guard let type = graph.types[value], type.elementType != .float32 else { return try operand(value).layout }
        return try MemoryDescriptor(plain: type.shape)
    }

    // MARK: Definitions

    /// Memory for a value of another type than float32, row-major.
    func defineTyped(_ value: String) throws -> TypedOperand {
        guard let type = graph.types[value] else {
            throw ExecutionError(.unsupportedForm, tensor: value, expected: "a known shape")
        }
        let operand = allocate(type)
        typedValues[value] = operand
        return operand
    }

    /// Row-major memory of any type.
    func allocate(_ type: ValueType) -> TypedOperand {
        buffers.append(.arena(byteCount: type.shape.count * type.elementType.size))
        return TypedOperand(buffer: buffers.count - 1, type: type)
    }

    /// Memory for a graph input, row-major.
    func defineInput(_ name: String) throws -> Operand {
        let operand = allocate(try MemoryDescriptor(plain: shape(name)))
        define(name, at: operand)
        return operand
    }

    /// Memory for the unit's output, or for anything that only this unit needs.
    func allocate(_ layout: MemoryDescriptor) -> Operand {
        buffers.append(.arena(byteCount: layout.byteCount))
        return Operand(buffer: buffers.count - 1, layout: layout)
    }

    /// Memory for an output in `layout`: the input's own memory where the unit is its last use, else new.
    func allocate(_ layout: MemoryDescriptor, overwriting input: String, usedBy unit: Unit) throws -> Operand {
        let operand = try operand(input)
        return canOverwrite(input, by: unit) && operand.layout == layout ? operand : allocate(layout)
    }

    /// Memory for the unit's output in `layout`: where an addition is fused, it already holds the other addend.
    func destination(_ layout: MemoryDescriptor, of unit: Unit) throws -> Operand {
        guard let addend = unit.addend else { return allocate(layout) }
        let operand = try operand(addend)
        if canOverwrite(addend, by: unit), operand.layout == layout { return operand }
        let copy = allocate(layout)
        try reorder(operand, to: copy)
        return copy
    }

    /// Whether nobody needs the value's memory after the unit, under whatever name.
    func canOverwrite(_ value: String, by unit: Unit) -> Bool {
        // The backward pass may read every value again.
        guard tape == nil, let buffer = values[value]?.buffer, case .arena = buffers[buffer] else { return false }
        // A value without uses to come has none later: a chain that is computed in place would be counted again and again.
        let residents = residents[buffer, default: []].filter { pendingUses[$0, default: 0] > 0 }
        self.residents[buffer] = residents
        let pending = residents.reduce(0) { $0 + pendingUses[$1, default: 0] }
        return pending == 1 && unit.inputs.contains(value)
    }

    /// States where a value lies from now on. A tapped value is shown to the caller at once, before anyone reads or copies it.
    func define(_ value: String, at operand: Operand) {
        values[value] = operand
        residents[operand.buffer, default: []].insert(value)
        guard taps.contains(value) else { return }
        if let tape, tape.keptBeforeTap.contains(value) {
            let copy = allocate(operand.layout)
            let count = operand.layout.byteCount / MemoryLayout<Float>.stride
            emit([operand, copy]) { $0[1].update(from: $0[0], count: count) }
            tape.beforeTap[value] = copy
        }
        instructions.append(.tap(value, operand))
    }

    func isTapped(_ value: String) -> Bool { taps.contains(value) }

    /// The value is the memory of another under another shape. A tapped value gets memory of its own, since the caller
    /// may change it.
    func alias(_ value: String, to operand: Operand) throws {
        guard taps.contains(value) else { return define(value, at: operand) }
        let copy = allocate(operand.layout)
        try reorder(operand, to: copy)
        define(value, at: copy)
    }

    // MARK: Instructions

    /// - Parameter unit: the unit whose gradient needs to know the primitive and its memories.
    func emit(
        _ primitive: Primitive, _ arguments: [(argument: Argument, operand: Operand)], for unit: Unit? = nil
    ) {
        scratchpadByteCount = max(scratchpadByteCount, primitive.scratchpadByteCount)
        instructions.append(.primitive(primitive, arguments))
        if let unit { tape?.record(unit, primitive, arguments) }
    }

    func emit(_ operands: [Operand], _ body: @escaping ([UnsafeMutablePointer<Float>]) -> Void) {
        instructions.append(.native(operands, body))
    }

    /// - Parameter typed: values of any type, read or written beside `operands`.
    func emit(
        _ typed: [TypedOperand], _ operands: [Operand],
        _ body: @escaping ([UnsafeMutableRawPointer], [UnsafeMutablePointer<Float>]) -> Void
    ) {
        instructions.append(.typed(typed, operands, body))
    }

    func emit(
        _ inputs: [TypedOperand?], _ outputs: [TypedOperand], _ body: @escaping ([Tensor?]) throws -> [Tensor]
    ) {
        instructions.append(.evaluation(inputs, outputs, body))
    }

    func emitGradientTap(_ value: String, _ operand: Operand) {
        instructions.append(.gradientTap(value, operand))
    }

    func emitGradient(_ parameter: String, _ operand: Operand) {
        instructions.append(.gradient(parameter, operand))
    }

    func emitStatistics(_ value: String, mean: Operand, variance: Operand, valuesPerChannel: Int) {
        instructions.append(.statistics(value, mean: mean, variance: variance, valuesPerChannel: valuesPerChannel))
    }

    func emitLoss(_ operands: [Operand]) {
        instructions.append(.loss(operands))
    }

    /// - Parameter accumulating: whether the elements are added to what the target holds.
    func reorder(_ source: Operand, to target: Operand, accumulating: Bool = false) throws {
        let primitive = try Primitive.reorder(
            from: source.layout, to: target.layout, accumulating: accumulating, engine: engine)
        emit(primitive, [(.source, source), (.target, target)])
    }

    // MARK: Constants

    /// A constant in `layout`, made once for all lanes.
    /// - Parameters:
    ///   - name: of the constant, for errors.
    ///   - natural: how the tensor's row-major elements are to be read; by default as they are.
    ///   - variant: names what `transform`, if any, computes from the elements, or that `natural` is not row-major order.
    /// - Throws: `ExecutionError` `.unsupportedForm` for a constant that is not of float32.
    func weight(
        _ name: String, _ tensor: Tensor, as layout: MemoryDescriptor, from natural: MemoryDescriptor? = nil,
        variant: String = "", transform: (([Float]) -> [Float])? = nil
    ) throws -> Operand {
        guard tensor.elementType == .float32 else {
            throw ExecutionError(
                .unsupportedForm, tensor: name, expected: ElementType.float32.rawValue,
                found: tensor.elementType.rawValue)
        }
        let storage = try weights.storage(of: tensor, variant: variant, as: layout) {
            let natural = try natural ?? MemoryDescriptor(plain: tensor.shape)
            let transformed = transform.map { $0(tensor.elements(as: Float.self)) }
            return try TensorStorage(byteCount: layout.byteCount) { bytes in
                func copy(_ source: UnsafeBufferPointer<Float>) throws {
                    guard let target = bytes.baseAddress, let start = source.baseAddress else { return }
                    // oneDNN takes mutable handles for what it only reads.
                    let source = UnsafeMutableRawPointer(mutating: start)
                    try Primitive.copy(source, natural, to: target, layout, engine: engine)
                }
                if let transformed {
                    try transformed.withUnsafeBufferPointer(copy)
                } else {
                    try tensor.withUnsafeElements(as: Float.self, copy)
                }
            }
        }
        buffers.append(.constant(storage))
        return Operand(buffer: buffers.count - 1, layout: layout)
    }
}
