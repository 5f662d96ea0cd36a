/// How the running mean and variance of a batch norm follow the batches of an optimizer step, whose slots have one each.
///
/// Slot after slot, a running value r becomes (1 - m) r + m s, where s is the slot's and m the momentum (as in PyTorch; ONNX
/// calls 1 - m the momentum). Over the L slots of a step that is
///
///     r + sum over l of w_l (s_l - r),   w_l = m (1 - m)^(L - 1 - l)
///
/// which can be summed in any order: what a slot contributes depends on the state before the step and on the slot alone. It is
/// given in units of the running values themselves (the deviation for a mean, the variance for a variance), so that
/// channels of very different ranges keep their precision where contributions are rounded in blocks (`SlotRounding`).
///
/// A slot without samples contributes nothing: the same as if it had found the values that ran before the step.
public struct RunningStatistics: Equatable, Sendable, Codable {
    /// Above 0, at most 1.
    public let momentum: Double
    /// Of a step, at least one.
    public let slots: Int

    /// - Parameters:
    ///   - momentum: above 0, at most 1.
    ///   - slots: of a step, at least one.
    public init(momentum: Double, slots: Int) {
        precondition(momentum > 0 && momentum <= 1 && slots > 0, "a momentum of \(momentum) over \(slots) slots")
        self.momentum = momentum
        self.slots = slots
    }

    /// The share of a slot's values in the running ones after the step.
    public func weight(ofSlot slot: Int) -> Double {
        precondition((0..<slots).contains(slot), "slot \(slot) of \(slots)")
        // A product of fixed order, not the system library's power.
        return (slot + 1..<slots).reduce(momentum) { weight, _ in weight * (1 - momentum) }
    }

    /// What a slot contributes to one channel.
    /// - Parameters:
    ///   - mean: of the slot's batch.
    ///   - variance: of the slot's batch, as an estimate for the population.
    ///   - running: before the step.
    public func contribution(
        slot: Int, mean: Double, variance: Double, running: (mean: Float, variance: Float), epsilon: Float
    ) -> (mean: Float, variance: Float) {
        let weight = weight(ofSlot: slot)
        let unit = Self.unit(running.variance, epsilon)
        return (
            Float(weight * (mean - Double(running.mean)) / unit.squareRoot()),
            Float(weight * (variance - Double(running.variance)) / unit)
        )
    }

    /// The running values of one channel after a step.
    /// - Parameter sum: of the contributions of all slots.
    public static func updated(
        _ running: (mean: Float, variance: Float), by sum: (mean: Float, variance: Float), epsilon: Float
    ) -> (mean: Float, variance: Float) {
        let unit = unit(running.variance, epsilon)
        return (
            Float(Double(running.mean) + Double(sum.mean) * unit.squareRoot()),
            // Rounding may lead a hair below zero.
            max(0, Float(Double(running.variance) + Double(sum.variance) * unit))
        )
    }

    private static func unit(_ variance: Float, _ epsilon: Float) -> Double {
        let unit = Double(variance) + Double(epsilon)
        return unit > 0 ? unit : 1
    }
}
