import Cluster
import Foundation
import Support
import Training

/// A slot's part of an optimizer step.
package struct SlotResult: Equatable, Sendable {
    /// How an error names the loss, which is no tensor.
    package static let lossKey = "loss"

    /// Without those that could not be decoded.
    package var samples: Int
    /// Samples that could not be decoded.
    package var skipped: Int
    /// Of some of these.
    package var badNames = BadSampleNames()
    /// Samples whose label is known.
    package var labelled: Int
    /// Samples whose label was the likeliest class.
    package var correct: Int
    /// The slot's part of the loss, and behind it of the gradient: elements of all trained constants, one behind the other.
    package var lossAndGradient: [Float]

    package init(samples: Int, skipped: Int, labelled: Int, correct: Int, lossAndGradient: [Float]) {
        self.samples = samples
        self.skipped = skipped
        self.labelled = labelled
        self.correct = correct
        self.lossAndGradient = lossAndGradient
    }

    /// The counts and the names, then the elements as float32, little-endian.
    package func encoded() -> Data {
        var writer = ByteWriter(counts: [samples, skipped, labelled, correct])
        badNames.append(to: &writer)
        return writer.data + lossAndGradient.withUnsafeBytes { Data($0) }
    }

    /// - Parameter parameterCount: elements of the gradient.
    /// - Throws: `ByteCodingError` where the bytes are not as many.
    package init(decoding data: Data, parameterCount: Int) throws(ByteCodingError) {
        var reader = ByteReader(data, record: "slot result")
        let counts = try reader.takeCounts(4)
        badNames = try BadSampleNames(from: &reader)
        let rest = try reader.take((parameterCount + 1) * 4)
        try reader.finish()
        (samples, skipped, labelled, correct) = (counts[0], counts[1], counts[2], counts[3])
        lossAndGradient = [Float](unsafeUninitializedCapacity: parameterCount + 1) { buffer, initialized in
            _ = rest.copyBytes(to: UnsafeMutableRawBufferPointer(buffer))
            initialized = parameterCount + 1
        }
    }
}

/// The slots of a step added up, exactly: any order gives the same bits.
package struct SlotSum: Equatable, Sendable {
    /// Without those that could not be decoded.
    package private(set) var samples = 0
    /// Samples that could not be decoded.
    package private(set) var skipped = 0
    /// Of some of these.
    package private(set) var badNames = BadSampleNames()
    /// Samples whose label is known.
    package private(set) var labelled = 0
    /// Samples whose label was the likeliest class.
    package private(set) var correct = 0
    private var sum: ExactSum
    private let parameterCount: Int

    /// The sum of no slots.
    /// - Parameter parameterCount: elements of the gradient.
    package init(parameterCount: Int) {
        self.parameterCount = parameterCount
        sum = ExactSum(count: parameterCount + 1)
    }

    /// - Throws: `TrainingError` naming the first element that is not finite.
    package mutating func add(_ slot: SlotResult) throws {
        try sum.add(slot.lossAndGradient)
        samples += slot.samples
        skipped += slot.skipped
        badNames.merge(slot.badNames)
        labelled += slot.labelled
        correct += slot.correct
    }

    /// Mean loss over the global batch, and its gradient.
    package var lossAndGradient: (loss: Float, gradient: [Float]) {
        let values = sum.value()
        return (values[0], Array(values.dropFirst()))
    }

    /// Mean over the global batch.
    package var loss: Float { lossAndGradient.loss }

    /// The counts, the names and the exact sum: equal sums are equal bytes.
    package func encoded() -> Data {
        var writer = ByteWriter(counts: [samples, skipped, labelled, correct])
        badNames.append(to: &writer)
        return writer.data + sum.encoded()
    }

    /// - Throws: `ByteCodingError`, or `TrainingError` where the sum has another number of elements.
    package init(decoding data: Data, parameterCount: Int) throws {
        var reader = ByteReader(data, record: "sum of slots")
        let counts = try reader.takeCounts(4)
        badNames = try BadSampleNames(from: &reader)
        self.parameterCount = parameterCount
        (samples, skipped, labelled, correct) = (counts[0], counts[1], counts[2], counts[3])
        sum = try ExactSum(decoding: reader.takeRest(), count: parameterCount + 1)
    }
}

/// Adds up slots as they arrive.
package struct SlotReducer: ResultReducer {
    private let step: Int
    private let layout: ParameterLayout
    private var sum: SlotSum

    /// - Parameters:
    ///   - step: from 0, for errors.
    ///   - layout: of the gradient.
    package init(step: Int, layout: ParameterLayout) {
        self.step = step
        self.layout = layout
        sum = SlotSum(parameterCount: layout.count)
    }

    /// - Throws: `TrainingError` with step, slot and the first tensor whose gradient is not finite; `UnusableResult`.
    package mutating func merge(shard: Int, samples: Int, result: Data) throws {
        let slot = try UnusableResult.checking { try SlotResult(decoding: result, parameterCount: layout.count) }
        let counts = [slot.samples, slot.skipped, slot.labelled, slot.correct]
        guard counts.areSoundCounts, slot.correct <= slot.labelled, slot.labelled <= slot.samples,
            slot.badNames.areSound(of: slot.skipped)
        else {
            throw UnusableResult("its counts contradict each other")
        }
        guard slot.samples + slot.skipped == samples else {
            throw UnusableResult(samples: slot.samples + slot.skipped, ofShardWith: samples)
        }
        do {
            try sum.add(slot)
        } catch var error as TrainingError {
            // The loss stands before the gradient.
            if let index = error.index {
                error.index = index > 0 ? index - 1 : nil
                error = error.located(in: layout)
                if index == 0 { error.key = SlotResult.lossKey }
            }
            error.step = step
            error.slot = shard
            throw error
        }
    }

    /// All that was merged.
    package func state() -> Data { sum.encoded() }

    /// Goes on from a state, in place of what was merged here.
    package mutating func restore(_ state: Data) throws {
        sum = try SlotSum(decoding: state, parameterCount: layout.count)
    }
}
