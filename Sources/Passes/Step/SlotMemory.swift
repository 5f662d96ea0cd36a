import Execution
import Tensors
import Training

/// What a lane's thread keeps from step to step, since making it takes longer than a step: plans, masks, copies.
package final class SlotMemory {
    /// Plans that are kept at most.
    package static let planLimit = 24

    private var model: SharedModel?
    /// Each has an arena, the largest thing that a lane holds. Slots of samples of one shape come in two sizes, whole and an epoch's
    /// last; others only where samples are skipped, for which one place has to do.
    private var plans = BoundedCache<[String: Shape], TrainingPlan>(least: 3, most: planLimit, byteLimit: 512 << 20)
    /// Where the gradients of tapped values pass whose ranges are not learned.
    var masks: [String: GradientMask] = [:]
    private var values: [String: [Float]] = [:]
    private var teacher: (model: SharedModel, lane: ModelLane)?

    /// Without any model or plan.
    package init() {}

    /// Plans that are kept, for tests of their bound.
    package var planCount: Int { plans.count }

    /// - Parameter learned: taps whose ranges are learned: they need gradients even where no trained constant lies before them, as
    ///   the input of the model.
    func plan(
        _ model: SharedModel, inputShapes: [String: Shape], trained: [String], taps: Set<String>,
        learned: Set<String>, batchStatistics: Set<String>
    ) throws -> TrainingPlan {
        // Those of a model that is no longer used go.
        if self.model !== model {
            self.model = model
            plans.removeAll()
        }
        if let known = plans.value(inputShapes) { return known }
        // Before the next is made, so that there are never more arenas.
        plans.makeRoom()
        let plan = try TrainingPlan(
            model.specialized(inputShapes), parameters: Set(trained), taps: taps, gradientTaps: learned,
            batchStatistics: batchStatistics)
        plans.insert(inputShapes, plan, byteCount: plan.arenaByteCount)
        return plan
    }

    /// The outputs of the model that is trained as it was before, unquantized. Valid until the next call.
    func outputs(ofTeacher model: SharedModel, of samples: SampleGroup, named output: String) throws
        -> UnsafeBufferPointer<Float>
    {
        if teacher?.model !== model { teacher = nil }
        let lane = teacher?.lane ?? ModelLane(model, taps: [])
        teacher = (model, lane)
        var found = UnsafeBufferPointer<Float>(start: nil, count: 0)
        try lane.run(samples, tiles: [0..<samples.count], outputs: { _, plan in found = plan.output(output) })
        return found
    }

    /// Has a tapped value kept as it is before it is rounded.
    func keep(_ tap: Plan.Tap, _ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
        if values[tap.name]?.count != tap.elements.count {
            values[tap.name] = [Float](repeating: 0, count: tap.elements.count)
        }
        values[tap.name]?.withUnsafeMutableBufferPointer { body($0) }
    }

    /// Reads what was kept of a tapped value.
    func withKept(_ tap: Plan.Tap, _ body: (UnsafeBufferPointer<Float>) -> Void) {
        values[tap.name]?.withUnsafeBufferPointer(body)
    }
}
