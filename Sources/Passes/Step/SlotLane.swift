import Cluster
import Execution
import Foundation
import Quantization
import Support
import Tensors
import Training

/// The samples of a slot, decoded.
struct SlotBatch: Sendable {
    let slot: Int
    let samples: SampleBatch
}

/// The slots of an optimizer step.
struct SlotExecutor: ShardExecutor {
    private let model: StepModel
    /// Classes that labels are of.
    private let classes: Int
    /// Where the gradients of slots go; nil where they are part of the results.
    private let parts: GradientParts?

    init(_ model: StepModel, parts: GradientParts?) throws {
        self.model = model
        self.parts = parts
        classes = try model.model.classes(of: model.task.pass)
    }

    func prepare(shard: Int, payload: Data) throws -> SlotBatch {
        let slot = try SlotPayload(decoding: payload)
        let (task, step) = (model.task, model.step)
        return SlotBatch(
            slot: shard,
            samples: try SampleBatch(
                decoding: slot.samples, as: task.pass, targets: task.loss.targets,
                classes: task.loss == .crossEntropy ? classes : nil, needsLabels: task.loss == .crossEntropy,
                augment: { place in
                    task.augmentation?.choice(seed: task.seed, epoch: step.epoch, sample: slot.indices[place])
                }))
    }

    func makeLane(keeping memory: LaneMemory) throws -> SlotLane {
        SlotLane(model, parts: parts, memory: memory.value { SlotMemory() })
    }
}

/// Computes gradients of slots. Belongs to one thread, whose memory keeps the plan from step to step.
final class SlotLane: ShardLane {
    private let model: StepModel
    /// Where the gradients of slots go; nil where they are part of the result.
    private let parts: GradientParts?
    private let memory: SlotMemory
    /// Of the activations whose ranges are learned, by tensor: what their gradients are made of.
    private var sums: [String: RangeSums] = [:]
    private let learned: Set<String>

    init(_ model: StepModel, parts: GradientParts?, memory: SlotMemory) {
        self.model = model
        self.parts = parts
        self.memory = memory
        learned = Set(model.ranges.flatMap(\.activation.tensors))
    }

    func compute(_ batch: SlotBatch) throws -> Data {
        do {
            return try computeSlot(batch)
        } catch var error as TrainingError {
            error.step = model.step.step
            error.slot = batch.slot
            throw DivergenceDiagnosis(model).explained(error.located(in: model.layout), by: batch.samples)
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
        result.badNames = batch.samples.badNames
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
                loss = try SlotLoss(model.task).value(of: batch, after: plan) {
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

    /// Digest of the loss and all gradients of a slot of made-up samples.
    /// - Throws: as `compute`, but for a loss that is no number: it is a part of the digest.
    func probe() throws -> SHA256Digest {
        let task = model.task
        let count = task.slotBatch
        let classes = try model.model.classes(of: task.pass)
        let batch = SampleBatch(
            count: count, inputs: ProbeSamples.inputs(task.pass.inputs, count: count),
            targets: task.loss.targets.map { target in
                ProbeSamples.array(Shape([count] + target.dimensions), stream: task.pass.inputs.count)
            },
            labels: (0..<count).map { $0 % max(classes, 1) }, skipped: 0)
        var digest = BitDigest()
        do {
            let (loss, _) = try run(batch, slot: 0) { elements, range in
                digest.add(range.lowerBound)
                digest.add(elements)
            }
            digest.add([loss])
        } catch let error as TrainingError where error.code == .notFinite {
            digest.add([.nan])
        }
        for tensor in sums.keys.sorted() {
            digest.add([Float(sums[tensor]?.delta ?? 0), Float(sums[tensor]?.offset ?? 0)])
        }
        return digest.finish()
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
