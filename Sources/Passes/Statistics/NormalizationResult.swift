import Cluster
import Foundation
import Support
import Training

/// Statistics of batch norms over batches: sums that are exact, so that any order and grouping gives the same
/// bits.
package struct NormalizationResult: Equatable, Sendable {
    package private(set) var samples = 0
    /// Samples that could not be decoded.
    package private(set) var skipped = 0
    /// Each has an equal part in the mean, whatever its size, as in the reference.
    package private(set) var batches = 0
    private var sum: ExactSum

    /// - Parameter count: elements of `statistics`.
    package init(count: Int) {
        sum = ExactSum(count: count)
    }

    /// - Parameter statistics: of the batch.
    /// - Throws: `TrainingError` with the index of the first that is not finite.
    package init(samples: Int, skipped: Int, statistics: [Float]) throws {
        self.init(count: statistics.count)
        (self.samples, self.skipped) = (samples, skipped)
        try sum.add(statistics)
        batches = 1
    }

    /// Of a batch without samples.
    package init(skipped: Int, count: Int) {
        self.init(count: count)
        self.skipped = skipped
    }

    package mutating func merge(_ other: NormalizationResult) throws {
        try sum.merge(other.sum)
        samples += other.samples
        skipped += other.skipped
        batches += other.batches
    }

    /// The mean over the batches; nil where there is none.
    package var mean: [Float]? { batches > 0 ? sum.value(scale: 1 / Double(batches)) : nil }

    package func encoded() -> Data { ByteWriter(counts: [samples, skipped, batches]).data + sum.encoded() }

    package init(decoding data: Data, count: Int) throws {
        var reader = ByteReader(data, record: "statistics of batches")
        let counts = try reader.takeCounts(3)
        (samples, skipped, batches) = (counts[0], counts[1], counts[2])
        sum = try ExactSum(decoding: reader.takeRest(), count: count)
    }
}

/// Adds up what batches have found.
package struct NormalizationReducer: ResultReducer {
    private let count: Int
    private var result: NormalizationResult

    package init(count: Int) {
        self.count = count
        result = NormalizationResult(count: count)
    }

    package mutating func merge(shard: Int, result data: Data) throws {
        try result.merge(NormalizationResult(decoding: data, count: count))
    }

    package func state() -> Data { result.encoded() }

    package mutating func restore(_ state: Data) throws {
        result = try NormalizationResult(decoding: state, count: count)
    }
}
