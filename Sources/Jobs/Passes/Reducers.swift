import Cluster
import Foundation

/// A result that shards contribute to in any order.
protocol MergeableResult {
    init()
    init(decoding data: Data) throws
    mutating func merge(_ other: Self)
    func encoded() -> Data
}

extension CalibrationResult: MergeableResult {}
extension EvaluationResult: MergeableResult {}

/// Merges the results of a pass's shards.
struct MergingReducer<Result: MergeableResult>: ResultReducer {
    private var result = Result()

    mutating func merge(shard: Int, result data: Data) throws {
        result.merge(try Result(decoding: data))
    }

    func state() -> Data { result.encoded() }

    mutating func restore(_ state: Data) throws {
        result = try Result(decoding: state)
    }
}
