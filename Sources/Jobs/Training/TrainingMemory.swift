import Execution
import Foundation
import Tensors
import Training

/// What a lane's thread keeps from step to step, since making it takes longer than a step: plans, masks, copies.
final class TrainingMemory {
    private struct Key: Hashable {
        let model: ObjectIdentifier
        let inputShapes: [String: Shape]
    }

    private var plans: [Key: TrainingPlan] = [:]
    /// Where the gradients of tapped values pass.
    var masks: [String: GradientMask] = [:]
    private var values: [String: [Float]] = [:]

    static var ofThisThread: TrainingMemory {
        let key = "quantsim.training"
        if let memory = Thread.current.threadDictionary[key] as? TrainingMemory { return memory }
        let memory = TrainingMemory()
        Thread.current.threadDictionary[key] = memory
        return memory
    }

    func plan(
        _ model: SharedModel, inputShapes: [String: Shape], trained: [String], taps: Set<String>,
        batchStatistics: Set<String>
    ) throws -> TrainingPlan {
        let key = Key(model: ObjectIdentifier(model), inputShapes: inputShapes)
        if let plan = plans[key] { return plan }
        // A slot has few sizes; those of a model that is no longer used go.
        plans = plans.filter { $0.key.model == key.model }
        let plan = try TrainingPlan(
            model.specialized(inputShapes), parameters: Set(trained), taps: taps, batchStatistics: batchStatistics)
        plans[key] = plan
        return plan
    }

    /// Keeps a tapped value as it is before it is rounded.
    func keep(_ tap: Plan.Tap) {
        guard let start = tap.elements.baseAddress else { return }
        if values[tap.name]?.count != tap.elements.count {
            values[tap.name] = [Float](repeating: 0, count: tap.elements.count)
        }
        values[tap.name]?.withUnsafeMutableBufferPointer {
            $0.baseAddress?.update(from: start, count: tap.elements.count)
        }
    }

    /// Reads what was kept of a tapped value.
    func withKept(_ tap: Plan.Tap, _ body: (UnsafeBufferPointer<Float>) -> Void) {
        values[tap.name]?.withUnsafeBufferPointer(body)
    }
}
