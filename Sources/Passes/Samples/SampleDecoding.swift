import Datasets
import Tensors

/// How the samples of a pass become what its model takes.
package struct SampleDecoding: Sendable {
    package let pass: PassSpecification
    /// Arrays of the samples beside the inputs.
    package var targets: PassSpecification.Input?
    /// Labels must be below; nil where labels do not matter.
    package var classes: Int?
    /// A sample without a label is bad.
    package var needsLabels: Bool

    package init(
        _ pass: PassSpecification, targets: PassSpecification.Input? = nil, classes: Int? = nil,
        needsLabels: Bool = false
    ) {
        self.pass = pass
        self.targets = targets
        self.classes = classes
        self.needsLabels = needsLabels
    }

    /// Bytes of decoded samples that are held at a time, where samples may have different extents; of one sample they may be more.
    /// Where all are of one shape a shard is cut for them.
    private static let byteLimit = 128 << 20

    /// Decodes the samples of a shard, or as many of the first as may be held at a time; the others follow as they are asked for.
    /// - Parameter augment: what augmentation does to the image of a sample, by its place among `samples`.
    /// - Throws: as `SampleBatch` for those that are decoded now.
    package func batches(
        of samples: [Sample], augment: @escaping @Sendable (Int) -> Augmentation.Choice? = { _ in nil }
    ) throws -> SampleBatches {
        SampleBatches(first: try batch(of: samples[...], augment), decoding: self, samples: samples, augment: augment)
    }

    fileprivate func batch(
        of samples: ArraySlice<Sample>, _ augment: (Int) -> Augmentation.Choice?
    ) throws -> SampleBatch {
        try SampleBatch(decoding: samples, self, byteLimit: pass.mayVary ? Self.byteLimit : .max, augment: augment)
    }
}

/// The samples of a shard as a lane takes them: in the order of the shard, decoded a part at a time where they are large.
package struct SampleBatches: Sendable {
    fileprivate let first: SampleBatch
    fileprivate let decoding: SampleDecoding
    fileprivate let samples: [Sample]
    fileprivate let augment: @Sendable (Int) -> Augmentation.Choice?

    /// All samples, where they are of one shape and are held together; nil also where none can be decoded.
    package var sole: SampleGroup? {
        first.groups.count == 1 && first.count + first.skipped == samples.count ? first.groups[0] : nil
    }

    /// Calls `body` with each part. How samples are parted follows from them alone.
    /// - Throws: as `SampleBatch` and `body` do.
    package func forEach(_ body: (SampleBatch) throws -> Void) throws {
        var part = first
        var place = 0
        while true {
            try body(part)
            place += part.count + part.skipped
            guard place < samples.count else { return }
            part = try decoding.batch(of: samples[place...], augment)
        }
    }
}
