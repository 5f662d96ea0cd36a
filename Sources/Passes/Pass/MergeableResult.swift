import Cluster
import Foundation

/// What shards contribute to in any order, each once. Merging is associative and commutative, and equal results are equal bytes.
package protocol MergeableResult: Sendable {
    /// Of no samples.
    init()
    /// - Throws: any error where the bytes are not what `encoded` gives.
    init(decoding data: Data) throws
    /// Adds what other shards contribute.
    mutating func merge(_ other: Self)
    /// Equal results are equal bytes.
    func encoded() -> Data
}

/// Merges the results of a pass's shards.
package struct MergingReducer<Result: MergeableResult>: ResultReducer {
    private var result = Result()

    /// Before the first shard.
    package init() {}

    /// - Throws: what decoding a result throws.
    package mutating func merge(shard: Int, result data: Data) throws {
        result.merge(try Result(decoding: data))
    }

    /// All that was merged, as one result.
    package func state() -> Data { result.encoded() }

    /// Goes on from a state, in place of what was merged here.
    package mutating func restore(_ state: Data) throws {
        result = try Result(decoding: state)
    }
}
