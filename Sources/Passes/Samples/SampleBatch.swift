import Datasets
import Foundation
import Tensors

/// Samples, decoded and grouped by their shapes.
package struct SampleBatch: Sendable {
    /// In the order of their first samples; samples of a group are in the order of the shard.
    package private(set) var groups: [SampleGroup] = []
    /// Samples that were decoded.
    package private(set) var count = 0
    /// Samples that could not be decoded and are not among `count`.
    package private(set) var skipped = 0
    /// Of those that could not be decoded.
    package private(set) var badNames = BadSampleNames()

    /// The classes of all samples, group by group; empty where some have none.
    package var labels: [Int] { groups.flatMap(\.labels) }

    /// Decodes samples in their order, the first at least, and others as long as these take less than so many bytes. Bad ones are
    /// left out and counted, or end the pass.
    /// - Parameter augment: what augmentation does to the image of a sample, by its index in the slice.
    /// - Throws: `DatasetError` naming the sample.
    init(
        decoding samples: ArraySlice<Sample>, _ decoding: SampleDecoding, byteLimit: Int = .max,
        augment: (Int) -> Augmentation.Choice? = { _ in nil }
    ) throws {
        let pass = decoding.pass
        var filling = GroupFilling(decoding, expected: samples.count)
        var isLabelled = true
        for place in samples.indices {
            guard count + skipped == 0 || filling.byteCount < byteLimit else { break }
            let sample = samples[place]
            do {
                if decoding.needsLabels, sample.label == nil {
                    throw DatasetError(
                        .invalidLabel, file: sample.source, key: sample.key, expected: "a class", found: "none")
                }
                try filling.add(sample, augmentedBy: augment(place)) {
                    if let classes = decoding.classes { try Self.checkLabel(of: sample, classes: classes) }
                }
                if sample.label == nil { isLabelled = false }
                count += 1
            } catch let error as DatasetError where error.isBadSample && pass.skipsBadSamples {
                skipped += 1
                badNames.add(key: sample.key, fault: error.code.rawValue)
            }
        }
        groups = filling.groups(labelled: isLabelled)
    }

    private static func checkLabel(of sample: Sample, classes: Int) throws {
        guard let label = sample.label, !(0..<classes).contains(label) else { return }
        throw DatasetError(
            .labelOutOfRange, file: sample.source, key: sample.key, expected: "a label from 0 to \(classes - 1)",
            found: "\(label)")
    }
}
