import Datasets
import Foundation

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
        ResultCoding.encode([indices.count] + indices) + ShardPayload(samples: samples).encoded()
    }

    /// - Throws: `DatasetError(.malformedPayload)`.
    package init(decoding data: Data) throws {
        guard let (counts, rest) = ResultCoding.decode(1, from: data), counts[0] <= rest.count / 8,
            let (indices, payload) = ResultCoding.decode(counts[0], from: rest)
        else {
            throw DatasetError(.malformedPayload, found: "indices")
        }
        let samples = try ShardPayload(decoding: Data(payload)).samples
        guard samples.count == indices.count else {
            throw DatasetError(.malformedPayload, expected: "\(indices.count)", found: "\(samples.count) samples")
        }
        self.init(indices: indices, samples: samples)
    }
}
