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
    let samples: SampleBatches
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
            samples: try SampleDecoding(
                task.pass, targets: task.loss.targets, classes: task.loss == .crossEntropy ? classes : nil,
                needsLabels: task.loss == .crossEntropy
            ).batches(
                of: slot.samples,
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
    /// The samples that are computed, for an error.
    private var current: SampleGroup?

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
            error = error.located(in: model.layout)
            throw current.map { DivergenceDiagnosis(model).explained(error, by: $0) } ?? error
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
        var result = SlotResult(samples: 0, skipped: 0, labelled: 0, correct: 0, lossAndGradient: [0])
        sums = [:]
        try run(batch, into: &result, gradient: take)
        if result.samples > 0 {
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

    /// The samples of a slot, group by group where they have different shapes; their gradients are added up in the order of the
    /// groups, so that the sum follows from the slot alone.
    private func run(
        _ batch: SlotBatch, into result: inout SlotResult,
        gradient: (UnsafeBufferPointer<Float>, Range<Int>) throws -> Void
    ) throws {
        let sole = batch.samples.sole
        var total = [Float](repeating: 0, count: sole == nil ? model.layout.count : 0)
        var ranges: Set<Range<Int>> = []
        try batch.samples.forEach { part in
            result.samples += part.count
            result.skipped += part.skipped
            result.badNames.merge(part.badNames)
            for group in part.groups {
                guard sole != nil || model.normalizations.isEmpty else { throw Self.mixedStatistics }
                let found = try run(group, slot: batch.slot) { elements, range in
                    guard sole == nil else { return try gradient(elements, range) }
                    ranges.insert(range)
                    for (index, element) in zip(range, elements) { total[index] += element }
                }
                result.lossAndGradient[0] += found.loss
                result.labelled += found.accuracy.labelled
                result.correct += found.accuracy.top1
            }
        }
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            try total.withUnsafeBufferPointer { try gradient(UnsafeBufferPointer(rebasing: $0[range]), range) }
        }
    }

    /// Batch norms would take the statistics of each shape alone, and not those of the slot.
    private static let mixedStatistics = TrainingError(
        .invalidSetting, key: "training.batch_norms", expected: "samples of one shape where batch norms are kept",
        found: "a slot with samples of different shapes")

    /// Samples of one shape.
    private func run(
        _ batch: SampleGroup, slot: Int, gradient: (UnsafeBufferPointer<Float>, Range<Int>) throws -> Void
    ) throws -> (loss: Float, accuracy: EvaluationResult) {
        current = batch
        let shapes = batch.shapes(samples: batch.count)
        try model.tiles.check(batch)
        let output = try model.model.specialized(shapes).types[model.output]?.shape ?? []
        let plan = try memory.plan(
            model.model, inputShapes: shapes,
            trained: model.task.replica.parameters.map(\.name),
            taps: Set(model.estimators.keys), learned: learned, batchStatistics: Set(model.normalizations.keys))
        var loss = 0.0
        var accuracy = EvaluationResult()
        try plan.run(
            feed: { try batch.feed($0, to: UnsafeMutableRawBufferPointer($1)) },
            typed: { try batch.feed($0, to: $1.bytes) },
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
                loss = try SlotLoss(model.task, output: output).value(of: batch, after: plan) {
                    guard let teacher = model.teacher else { preconditionFailure("a loss without its teacher") }
                    return try memory.outputs(ofTeacher: teacher, of: batch, named: model.output)
                }
                accuracy = Self.accuracy(plan.output(model.output), batch)
            },
            gradientTap: { tap in
                guard let estimator = model.estimators[tap.name] else { return }
                if learned.contains(tap.name) {
                    memory.withKept(tap) { values in
                        let own = estimator.backward(inPlace: tap.elements, values: values)[0]
                        sums[tap.name] =
                            sums[tap.name].map {
                                RangeSums(delta: $0.delta + own.delta, offset: $0.offset + own.offset)
                            } ?? own
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
        return try ProbeSamples.withInputs(task.pass.inputs, count: count) { group in
            var group = group
            group.targets = task.loss.targets.map { target in
                ProbeSamples.array(Shape([count] + target.dimensions), stream: task.pass.inputs.count)
            }
            group.labels = (0..<count).map { $0 % max(classes, 1) }
            return try digest(of: group)
        }
    }

    private func digest(of group: SampleGroup) throws -> SHA256Digest {
        sums = [:]
        var digest = BitDigest()
        do {
            let (loss, _) = try run(group, slot: 0) { elements, range in
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
    private static func accuracy(_ scores: UnsafeBufferPointer<Float>, _ batch: SampleGroup) -> EvaluationResult {
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
