import Datasets
import Foundation
import Support

/// The samples of a slot, with their places in the dataset, which augmentation depends on.
package struct SlotPayload: Equatable, Sendable {
    /// Index in the dataset, one per sample.
    package var indices: [Int]
    package var samples: [Sample]

    package init(indices: [Int], samples: [Sample]) {
        precondition(indices.count == samples.count, "\(indices.count) indices of \(samples.count) samples")
        self.indices = indices
        self.samples = samples
    }

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
