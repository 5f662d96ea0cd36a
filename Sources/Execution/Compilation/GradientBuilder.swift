import COneDNN
import Graph
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
        guard isNeeded(value) else { return }
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
            guard let differentiable = unit.operator as? any DifferentiableOperator else {
                throw ExecutionError(.unsupportedForm, expected: "an operator with a gradient")
            }
            let gradients = try differentiable.buildGradient(unit, of: outputs, in: self)
            for (input, gradient) in zip(unit.node.inputs, gradients) {
                if let gradient { contribute(gradient, to: input) }
            }
        }
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
        let layout = try plan.operand(value).layout
        for part in parts.dropFirst() { sum = try added(sum, part, layout) }
        guard plan.isTapped(value) else { return sum }
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
            try plan.emitBinary(dnnl_binary_add, sum, other, to: sum, post: [])
        } else {
            try plan.reorder(other, to: sum, accumulating: true)
        }
        release(other)
        return sum
    }
}
