import Cluster
import Execution
import Foundation
import Quantization
import Tensors
import Training

/// The samples of a slot, decoded.
struct SlotBatch: Sendable {
    let slot: Int
    let samples: SampleBatch
}

/// What the lanes of a worker compute the slots of one step with.
struct StepModel: Sendable {
    let model: SharedModel
    /// The model before it is trained, unquantized, where the loss needs it.
    let teacher: SharedModel?
    let task: TrainingTask
    let step: TrainingStep
    let output: String
    /// Trained constants, rounded to their grids.
    let weights: [String: Tensor]
    /// Of values that change with the sample.
    let estimators: [String: StraightThrough]
    /// The learned ranges of activations.
    let ranges: [(activation: ReplicaPlan.Activation, range: LearnedRange)]
    /// The batch norms that compute with the statistics of the slot, by output.
    let normalizations: [String: TrainingReplica.Running]
    /// What slots contribute to.
    let layout: ParameterLayout

    init(
        _ replica: TrainingReplica, _ model: SharedModel, teacher: SharedModel?, _ task: TrainingTask,
        _ step: TrainingStep, output: String
    ) throws {
        self.model = model
        self.teacher = teacher
        self.task = task
        self.step = step
        self.output = output
        weights = try replica.simulatedWeights()
        estimators = try replica.activationEncodings.mapValues { try StraightThrough($0) }
        ranges = replica.plan.learnedActivations.compactMap { activation in
            replica.learnedRange(ofActivation: activation.name).map { (activation, $0) }
        }
        normalizations = Dictionary(
            uniqueKeysWithValues: replica.running.map { ($0.normalization.output, $0) })
        layout = try replica.plan.gradientLayout()
    }
}

/// Computes gradients of slots. Belongs to one thread, whose memory keeps the plan from step to step.
final class TrainingLane: ShardLane {
    private let model: StepModel
    /// Where the gradients of slots go; nil where they are part of the result.
    private let parts: GradientParts?
    private let memory: TrainingMemory
    /// Of the activations whose ranges are learned, by tensor: what their gradients are made of.
    private var sums: [String: RangeSums] = [:]
    private let learned: Set<String>

    init(_ model: StepModel, parts: GradientParts?, memory: TrainingMemory) {
        self.model = model
        self.parts = parts
        self.memory = memory
        learned = Set(model.ranges.flatMap(\.activation.tensors))
    }

    func compute(_ batch: SlotBatch) throws -> Data {
        try reportingFailure {
            do {
                return try computeSlot(batch)
            } catch var error as TrainingError {
                error.step = model.step.step
                error.slot = batch.slot
                throw DivergenceDiagnosis(model).explained(error.located(in: model.layout), by: batch.samples)
            }
        }
    }

    private func computeSlot(_ batch: SlotBatch) throws -> Data {
        var writer = parts.map { SlotGradient(of: batch.slot, to: $0) }
        var whole = [Float](repeating: 0, count: parts == nil ? model.layout.count : 0)
        func take(_ gradient: UnsafeBufferPointer<Float>, at range: Range<Int>) throws {
            if parts == nil {
                whole.replaceSubrange(range, with: gradient)
            } else {
                try writer?.take(gradient, at: range.lowerBound)
            }
        }
        var result = SlotResult(
            samples: batch.samples.count, skipped: batch.samples.skipped, labelled: 0, correct: 0, lossAndGradient: [0])
        if batch.samples.count > 0 {
            sums = [:]
            let accuracy: EvaluationResult
            (result.lossAndGradient[0], accuracy) = try run(batch.samples, slot: batch.slot, gradient: take)
            (result.labelled, result.correct) = (accuracy.labelled, accuracy.top1)
            for (activation, range) in model.ranges {
                guard let place = model.layout.range(of: ReplicaPlan.activationKey(activation.name)) else { continue }
                var total = RangeSums(delta: 0, offset: 0)
                // In the group's order, whatever the order of the backward pass.
                for tensor in activation.tensors {
                    total.delta += sums[tensor]?.delta ?? 0
                    total.offset += sums[tensor]?.offset ?? 0
                }
                let slopes = range.gradient(total)
                try [slopes.min, slopes.max].withUnsafeBufferPointer { try take($0, at: place) }
            }
            if let gap = model.task.replica.gap, let place = model.layout.range(of: ReplicaPlan.gapKey) {
                try [Float](repeating: 0, count: gap).withUnsafeBufferPointer { try take($0, at: place) }
            }
        } else {
            try writer?.takeZeros()
        }
        if parts == nil {
            // Not rounded before it is known to hold numbers.
            if let refusal = ExactSum.refusal(of: whole) { throw refusal }
            whole.withUnsafeMutableBufferPointer { SlotRounding.round($0, to: model.task.precision) }
            result.lossAndGradient += whole
        }
        return result.encoded()
    }

    private func run(
        _ batch: SampleBatch, slot: Int, gradient: (UnsafeBufferPointer<Float>, Range<Int>) throws -> Void
    ) throws -> (loss: Float, accuracy: EvaluationResult) {
        let plan = try memory.plan(
            model.model, inputShapes: batch.inputs.mapValues(\.shape),
            trained: model.task.replica.parameters.map(\.name),
            taps: Set(model.estimators.keys), learned: learned, batchStatistics: Set(model.normalizations.keys))
        var loss = 0.0
        var accuracy = EvaluationResult()
        try plan.run(
            feed: { name, place in batch.inputs[name]?.copyAsFloats(into: place) },
            parameter: { name, place in model.weights[name]?.copyAsFloats(into: place) },
            tap: { tap in
                guard let estimator = model.estimators[tap.name] else { return }
                if learned.contains(tap.name) {
                    memory.keep(tap) { estimator.forward(inPlace: tap.elements, keeping: $0) }
                } else {
                    estimator.forward(inPlace: tap.elements, recording: &memory.masks[tap.name, default: .init()])
                }
            },
            statistics: { found in
                guard let running = model.normalizations[found.output],
                    let rule = model.task.replica.batchNorms?.rule
                else { return }
                let parts = running.contribution(
                    rule, slot: slot, mean: found.mean, variance: found.variance, unbiasing: found.unbiasing)
                for (name, part) in [
                    (running.normalization.mean, parts.mean), (running.normalization.variance, parts.variance),
                ] {
                    guard let range = model.layout.range(of: name) else { continue }
                    try part.withUnsafeBufferPointer { try gradient($0, range) }
                }
            },
            loss: { plan in
                loss = try SlotLoss(model.task, output: model.output).value(of: batch, after: plan) {
                    guard let teacher = model.teacher else { preconditionFailure("a loss without its teacher") }
                    return try memory.outputs(ofTeacher: teacher, of: batch.inputs, named: model.output)
                }
                accuracy = Self.accuracy(plan.output(model.output), batch)
            },
            gradientTap: { tap in
                guard let estimator = model.estimators[tap.name] else { return }
                if learned.contains(tap.name) {
                    memory.withKept(tap) { values in
                        sums[tap.name] = estimator.backward(inPlace: tap.elements, values: values)[0]
                    }
                } else if let mask = memory.masks[tap.name] {
                    estimator.backward(inPlace: tap.elements, mask: mask)
                }
            },
            gradient: { name, elements in
                guard let range = model.layout.range(of: name) else { return }
                try gradient(elements, range)
            })
        return (Float(loss), accuracy)
    }

    /// Counts nothing where samples have no labels, or labels that are no classes.
    private static func accuracy(_ scores: UnsafeBufferPointer<Float>, _ batch: SampleBatch) -> EvaluationResult {
        var result = EvaluationResult()
        let classes = scores.count / batch.count
        guard batch.labels.allSatisfy({ (0..<classes).contains($0) }) else { return result }
        for (row, label) in batch.labels.enumerated() {
            result.count(
                scores: UnsafeBufferPointer(rebasing: scores[row * classes..<(row + 1) * classes]), label: label)
        }
        return result
    }
}
