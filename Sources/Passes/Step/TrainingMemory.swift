import Execution
import Foundation
import Tensors
import Training

/// What a lane's thread keeps from step to step, since making it takes longer than a step: plans, masks, copies.
final class TrainingMemory {
    private var model: SharedModel?
    private var plans: [[String: Shape]: TrainingPlan] = [:]
    /// Where the gradients of tapped values pass whose ranges are not learned.
    var masks: [String: GradientMask] = [:]
    private var values: [String: [Float]] = [:]
    private var teacher: (model: SharedModel, lane: ModelLane)?

    static var ofThisThread: TrainingMemory {
        let key = "quantsim.training"
        if let memory = Thread.current.threadDictionary[key] as? TrainingMemory { return memory }
        let memory = TrainingMemory()
        Thread.current.threadDictionary[key] = memory
        return memory
    }

    /// - Parameter learned: taps whose ranges are learned: they need gradients even where no trained constant lies before them, as
    ///   the input of the model.
    func plan(
        _ model: SharedModel, inputShapes: [String: Shape], trained: [String], taps: Set<String>,
        learned: Set<String>, batchStatistics: Set<String>
    ) throws -> TrainingPlan {
        // Those of a model that is no longer used go.
        if self.model !== model { (self.model, plans) = (model, [:]) }
        if let plan = plans[inputShapes] { return plan }
        let plan = try TrainingPlan(
            model.specialized(inputShapes), parameters: Set(trained), taps: taps, gradientTaps: learned,
            batchStatistics: batchStatistics)
        plans[inputShapes] = plan
        return plan
    }

    /// The outputs of the model that is trained as it was before, unquantized. Valid until the next call.
    func outputs(ofTeacher model: SharedModel, of inputs: [String: Tensor], named output: String) throws
        -> UnsafeBufferPointer<Float>
    {
        if teacher?.model !== model { teacher = nil }
        let lane = teacher?.lane ?? ModelLane(model, taps: [])
        teacher = (model, lane)
        return try lane.run(whole: inputs).output(output)
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
