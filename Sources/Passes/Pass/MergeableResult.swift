import Cluster
import Foundation

/// What shards contribute to in any order, each once. Merging is associative and commutative, and equal results are equal bytes.
package protocol MergeableResult: Sendable {
    /// Of no samples.
    init()
    init(decoding data: Data) throws
    mutating func merge(_ other: Self)
    func encoded() -> Data
}

/// Merges the results of a pass's shards.
package struct MergingReducer<Result: MergeableResult>: ResultReducer {
    private var result = Result()

    package init() {}

    package mutating func merge(shard: Int, result data: Data) throws {
        result.merge(try Result(decoding: data))
    }

    package func state() -> Data { result.encoded() }

    package mutating func restore(_ state: Data) throws {
        result = try Result(decoding: state)
    }
}
