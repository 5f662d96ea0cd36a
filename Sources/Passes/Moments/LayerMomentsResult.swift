import Foundation
import Support
import Training

/// The moments of a layer's inputs over some samples. Sums are exact, so that any order and grouping gives the same bits.
package struct LayerMomentsResult: Equatable, MergeableResult {
    /// Without those that could not be decoded.
    package var samples = 0
    /// Samples that could not be decoded.
    package var skipped = 0
    /// Of some of these.
    package var badNames = BadSampleNames()
    /// Of what each shard found; nil where there was none.
    private var sum: ExactSum?
    /// Whether sums of different lengths met, which are of no layer.
    private var contradicts = false

    /// Of no samples.
    package init() {}

    package var sampleCount: Int { samples &+ skipped }

    package var isSound: Bool {
        [samples, skipped].areSoundCounts && badNames.areSound(of: skipped) && (samples == 0 || sum != nil)
    }

    /// The averages over the samples, as `MomentsLayout` orders them; nil where there are no samples, or results that contradict each
    /// other.
    package var averages: [Float]? { samples > 0 && !contradicts ? sum?.value(scale: 1 / Double(samples)) : nil }

    /// Takes the sums over all samples of a shard.
    /// - Throws: `TrainingError` for what is not finite or too large.
    mutating func set(_ total: [Double]) throws {
        var sum = ExactSum(count: total.count)
        try sum.add(total.map { Float($0) })
        self.sum = sum
    }

    /// Adds what was found in other samples.
    package mutating func merge(_ other: LayerMomentsResult) {
        samples += other.samples
        skipped += other.skipped
        badNames.merge(other.badNames)
        guard let more = other.sum else { return }
        guard var whole = sum else { return sum = more }
        do { try whole.merge(more) } catch { contradicts = true }
        sum = whole
    }

    /// Equal results are equal bytes.
    package func encoded() -> Data {
        var writer = ByteWriter(counts: [samples, skipped, sum?.count ?? -1])
        badNames.append(to: &writer)
        return writer.data + (sum?.encoded() ?? Data())
    }

    /// - Throws: `ByteCodingError`, or `TrainingError` where the sum has another number of elements.
    package init(decoding data: Data) throws {
        var reader = ByteReader(data, record: "moments of a layer")
        let counts = try reader.takeCounts(3)
        (samples, skipped) = (counts[0], counts[1])
        badNames = try BadSampleNames(from: &reader)
        if counts[2] >= 0 { sum = try ExactSum(decoding: reader.takeRest(), count: counts[2]) }
    }
}
