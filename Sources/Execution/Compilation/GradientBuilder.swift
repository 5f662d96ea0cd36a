import Derivatives
import Graph
import Primitives
import Tensors

/// Collects the instructions of the backward pass behind those of the forward pass, unit by unit in reverse order.
///
/// The gradient of a value is the sum of what its consumers contribute, added in the order of the backward pass. Values that
/// lead to nothing whose gradient is wanted get none.
final class GradientBuilder {
    let plan: PlanBuilder
    let tape: Tape
    private let needed: Set<String>
    /// What consumers have contributed to the gradient of a value so far.
    private var contributions: [String: [Operand]] = [:]
    /// How many contributions lie in a buffer: an addition passes one gradient on to both of its inputs.
    private var holders: [Int: Int] = [:]

    /// - Parameter needed: values whose gradients are computed.
    init(plan: PlanBuilder, tape: Tape, needed: Set<String>) {
        self.plan = plan
        self.tape = tape
        self.needed = needed
    }

    func isNeeded(_ value: String) -> Bool { needed.contains(value) }

    /// Whether the gradient of the unit's input at `index` is needed.
    func isNeeded(_ unit: Unit, _ index: Int) -> Bool {
        index < unit.node.inputs.count && isNeeded(unit.node.inputs[index])
    }

    /// Adds to the gradient of a value.
    /// - Parameter gradient: of the value's shape, in any layout.
    func contribute(_ gradient: Operand, to value: String) {
        guard isNeeded(value), plan.graph.types[value]?.elementType.isFloatingPoint == true else { return }
        contributions[value, default: []].append(gradient)
        holders[gradient.buffer, default: 0] += 1
    }

    /// Whether nothing else lies in the memory of a gradient that a unit is given.
    func canOverwrite(_ gradient: Operand) -> Bool { holders[gradient.buffer] == 1 }

    /// Compiles the gradient of a unit; all consumers of its outputs have been compiled.
    /// - Throws: `ExecutionError` naming the unit's node.
    func add(_ unit: Unit) throws {
        let outputs = try plan.naming(unit) { try unit.outputs.map { try takeSum($0) } }
        defer { for case let gradient? in outputs { release(gradient) } }
        guard outputs.contains(where: { $0 != nil }), unit.inputs.contains(where: isNeeded) else { return }
        try plan.naming(unit) {
            let gradients = try gradients(unit, of: outputs)
            for (input, gradient) in zip(unit.node.inputs, gradients) {
                if let gradient { contribute(gradient, to: input) }
            }
        }
    }

    private func gradients(_ unit: Unit, of outputs: [Operand?]) throws -> [Operand?] {
        if unit.isEvaluated(in: plan.graph), let definition = unit.operator as? any DifferentiableDefinition {
            return try buildDefinition(unit, definition, of: outputs)
        }
        guard let differentiable = unit.operator as? any DifferentiableOperator else {
            throw ExecutionError(.unsupportedForm, expected: "an operator with a gradient")
        }
        return try differentiable.buildGradient(unit, of: outputs, in: self)
    }

    /// The finished gradient of a parameter or graph input in row-major order; zero where nothing depends on the value.
    func result(_ value: String) throws -> Operand {
        let layout = try MemoryDescriptor(plain: plan.shape(value))
        guard let sum = try takeSum(value) else { return zeros(layout) }
        defer { release(sum) }
        if sum.layout == layout, canOverwrite(sum) { return sum }
        let copy = plan.allocate(layout)
        try plan.reorder(sum, to: copy)
        return copy
    }

    /// Finishes the gradient of a value that no unit computes, for its gradient tap alone.
    func finish(_ value: String) throws {
        if let sum = try takeSum(value) { release(sum) }
    }

    // MARK: Sums

    /// The sum of the contributions to a value's gradient, shown to the caller where the value is tapped. It stays held
    /// until it is released.
    private func takeSum(_ value: String) throws -> Operand? {
        guard let parts = contributions.removeValue(forKey: value), var sum = parts.first else { return nil }
        let layout = try plan.gradientLayout(value)
        for part in parts.dropFirst() { sum = try added(sum, part, layout) }
        guard plan.isTapped(value), plan.graph.types[value]?.elementType == .float32 else { return sum }
        if sum.layout != layout || !canOverwrite(sum) { sum = try moved(sum, to: layout) }
        plan.emitGradientTap(value, sum)
        return sum
    }

    private func release(_ gradient: Operand) { holders[gradient.buffer, default: 0] -= 1 }

    /// A held copy; the original is released.
    private func moved(_ gradient: Operand, to layout: MemoryDescriptor) throws -> Operand {
        let copy = plan.allocate(layout)
        try plan.reorder(gradient, to: copy)
        holders[copy.buffer] = 1
        release(gradient)
        return copy
    }

    /// The held sum of two held gradients, in the memory of one of them where that may be. Addition commutes, so which of
    /// them is does not change a bit.
    private func added(_ first: Operand, _ second: Operand, _ preferred: MemoryDescriptor) throws -> Operand {
        var (sum, other) = (first, second)
        if !canOverwrite(sum) || sum.layout != preferred { swap(&sum, &other) }
        if !canOverwrite(sum) { sum = try moved(sum, to: preferred) }
        if sum.layout == other.layout {
            try plan.emitBinary(.add, sum, other, to: sum, post: [])
        } else {
            try plan.reorder(other, to: sum, accumulating: true)
        }
        release(other)
        return sum
    }

    // MARK: What gradients of several operators are made of

    /// The gradient in `layout`, copied into it if need be.
    func converted(_ gradient: Operand, to layout: MemoryDescriptor) throws -> Operand {
        guard gradient.layout != layout else { return gradient }
        let copy = plan.allocate(layout)
        try plan.reorder(gradient, to: copy)
        return copy
    }

    /// The gradient in row-major order.
    func plain(_ gradient: Operand) throws -> Operand {
        try converted(gradient, to: MemoryDescriptor(plain: gradient.layout.shape))
    }

    /// The row-major gradient under another shape of as many elements.
    func reshaped(_ gradient: Operand, _ shape: Shape) throws -> Operand {
        Operand(buffer: try plain(gradient).buffer, layout: try MemoryDescriptor(plain: shape))
    }

    /// Memory that is all zeros until something is added.
    func zeros(_ layout: MemoryDescriptor) -> Operand {
        let operand = plan.allocate(layout)
        let count = layout.byteCount / MemoryLayout<Float>.stride
        plan.emit([operand]) { $0[0].update(repeating: 0, count: count) }
        return operand
    }

    /// `factor * gradient`, in new memory.
    func scaled(_ gradient: Operand, by factor: Float) throws -> Operand {
        guard factor != 1 else { return gradient }
        let target = plan.allocate(gradient.layout)
        try plan.emitEltwise(.linear, alpha: factor, beta: 0, from: gradient, to: target)
        return target
    }

    /// `gradient (op) value` element by element, the value broadcast onto the gradient's shape, in new memory.
    func combined(_ algorithm: Algorithm.Binary, _ gradient: Operand, _ value: String) throws -> Operand {
        let target = plan.allocate(gradient.layout)
        let operand = try plan.broadcastOperand(value, onto: gradient.layout)
        try plan.emitBinary(algorithm, gradient, operand, to: target, post: [])
        return target
    }

    /// `function(gradient, first, second)` for each element in row-major order, the operands broadcast.
    func mapped(
        _ gradient: Operand, _ first: Operand, _ second: Operand, _ function: @escaping (Float, Float, Float) -> Float
    ) throws -> Operand {
        let full = gradient.layout.shape
        let target = plan.allocate(try MemoryDescriptor(plain: full))
        let indices = [first, second].map { operand -> [Int32]? in
            guard operand.layout.shape != full else { return nil }
            let indices = BroadcastIndices(of: operand.layout.shape, in: full)
            return (0..<full.count).map { Int32(indices[$0]) }
        }
        plan.emit([try plain(gradient), try plain(first), try plain(second), target]) { pointers in
            for index in 0..<full.count {
                let a = indices[0].map { Int($0[index]) } ?? index
                let b = indices[1].map { Int($0[index]) } ?? index
                pointers[3][index] = function(pointers[0][index], pointers[1][a], pointers[2][b])
            }
        }
        return target
    }

    /// The first output of a unit as it was computed, row-major.
    func producedOutput(_ unit: Unit) throws -> Operand {
        let output = unit.outputs[0]
        guard let produced = tape.beforeTap[output] else { return try plan.plainOperand(output) }
        return try plain(produced)
    }

    /// The gradient, summed to the shape of the unit's input at `index`, then scaled: fewer elements than the other way.
    func scaledSum(of gradient: Operand, by factor: Float, _ unit: Unit, _ index: Int) throws -> Operand? {
        guard isNeeded(unit, index) else { return nil }
        return try scaled(reduced(gradient, to: plan.shape(unit.node.inputs[index])), by: factor)
    }
}
