import Cluster
import Foundation

/// What shards contribute to in any order, each once. Merging is associative and commutative, and equal results are equal bytes.
package protocol MergeableResult: Sendable {
    /// Of no samples.
    init()
    /// - Throws: any error where the bytes are not what `encoded` gives.
    init(decoding data: Data) throws
    /// Samples that it accounts for, those left out included, in the shard's own measure.
    var sampleCount: Int { get }
    /// Whether it can be what a shard contributes: nothing in it contradicts itself, and adding up thousands cannot overflow.
    var isSound: Bool { get }
    /// Adds what other shards contribute.
    mutating func merge(_ other: Self)
    /// Equal results are equal bytes.
    func encoded() -> Data
}

extension [Int] {
    /// Whether adding up the counts of thousands of shards cannot overflow.
    var areSoundCounts: Bool { allSatisfy { (0...1 << 40).contains($0) } }
}

/// Merges the results of a pass's shards.
package struct MergingReducer<Result: MergeableResult>: ResultReducer {
    private var result = Result()

    /// Before the first shard.
    package init() {}

    /// - Throws: `UnusableResult` where the bytes are no sound result of so many samples.
    package mutating func merge(shard: Int, samples: Int, result data: Data) throws {
        let part = try UnusableResult.checking { try Result(decoding: data) }
        guard part.isSound else { throw UnusableResult("its counts contradict each other") }
        guard part.sampleCount == samples else {
            throw UnusableResult(samples: part.sampleCount, ofShardWith: samples)
        }
        result.merge(part)
    }

    /// All that was merged, as one result.
    package func state() -> Data { result.encoded() }

    /// Goes on from a state, in place of what was merged here.
    package mutating func restore(_ state: Data) throws {
        result = try Result(decoding: state)
    }
}
