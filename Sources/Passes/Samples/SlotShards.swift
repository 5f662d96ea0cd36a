import Cluster
import ClusterProtocol
import Datasets
import Foundation
import Support
import Training

/// The samples of a slot, with their places in the dataset, which augmentation depends on.
package struct SlotPayload: Equatable, Sendable {
    /// Index in the dataset, one per sample.
    package var indices: [Int]
    /// One per index.
    package var samples: [Sample]

    package init(indices: [Int], samples: [Sample]) {
        precondition(indices.count == samples.count, "\(indices.count) indices of \(samples.count) samples")
        self.indices = indices
        self.samples = samples
    }

    /// The indices, then the samples.
    package func encoded() -> Data {
        ByteWriter(counts: [indices.count] + indices).data + ShardPayload(samples: samples).encoded()
    }

    /// - Throws: `DatasetError(.malformedPayload)`.
    package init(decoding data: Data) throws {
        var reader = ByteReader(data, record: "slot")
        let indices: [Int]
        do throws(ByteCodingError) {
            indices = try reader.takeCounts(reader.takeCounts(1)[0])
        } catch {
            throw DatasetError(.malformedPayload, found: "indices")
        }
        let samples = try ShardPayload(decoding: reader.takeRest()).samples
        guard samples.count == indices.count else {
            throw DatasetError(.malformedPayload, expected: "\(indices.count)", found: "\(samples.count) samples")
        }
        self.init(indices: indices, samples: samples)
    }
}

/// The slots of one optimizer step as shards: samples by the epoch's order, whoever computes them.
package struct SlotShards: ShardSource {
    private let access: SampleAccess
    private let composer: BatchComposer
    private let order: EpochOrder
    private let step: Int
    private let skipsBadSamples: Bool
    private var nextSlot = 0

    /// - Parameters:
    ///   - composer: tells which places of the order are a slot's.
    ///   - step: from 0.
    ///   - seed: what the order of samples follows from.
    package init(
        _ index: SampleIndex, composer: BatchComposer, step: Int, seed: UInt64, skipsBadSamples: Bool
    ) {
        access = index.open()
        self.composer = composer
        self.step = step
        order = EpochOrder(seed: seed, epoch: composer.epoch(ofStep: step), count: index.count)
        self.skipsBadSamples = skipsBadSamples
    }

    /// The next slot, with its samples read.
    /// - Throws: `DatasetError`, but for bad samples that are passed over.
    package mutating func next() throws -> Shard? {
        guard nextSlot < composer.slots else { return nil }
        let indices = composer.positions(step: step, slot: nextSlot).map { order[$0] }
        let samples = try indices.map { index in
            do {
                return try access.sample(at: index)
            } catch let error as DatasetError where error.isBadSample && skipsBadSamples {
                // Sent without content, so that the worker counts it as it counts every bad sample.
                return Sample(key: error.key, source: error.file, content: .image(Data()))
            }
        }
        defer { nextSlot += 1 }
        return Shard(
            index: nextSlot, sampleCount: samples.count,
            payload: SlotPayload(indices: indices, samples: samples).encoded())
    }
}
