import Nodes
import TensorFunctions
import Tensors

/// TfIdfVectorizer: how often each of a pool of sequences of integers comes in a row of them, weighted. Pools of
/// strings are refused.
public struct SequenceCounts: Operator {
    public static let opTypes = ["TfIdfVectorizer"]

    package let node: Node
    package let pool: SequencePool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        let name = try attributes.string("mode") ?? ""
        let (shortest, longest) = (
            try attributes.int("min_gram_length", default: 0), try attributes.int("max_gram_length", default: 0)
        )
        let maximumSkip = try attributes.int("max_skip_count", default: 0)
        let starts = try attributes.ints("ngram_counts") ?? []
        let indices = try attributes.ints("ngram_indexes", in: 0...1 << 24) ?? []
        let pool = try attributes.ints("pool_int64s") ?? []
        let strings = try attributes.strings("pool_strings") ?? []
        let weights = try attributes.floats("weights") ?? []
        try attributes.finish()
        guard let mode = SequencePool.Mode(rawValue: name), shortest > 0, shortest <= longest, longest <= starts.count,
            0...1 << 20 ~= maximumSkip, strings.isEmpty, weights.isEmpty || weights.count == indices.count,
            !indices.isEmpty
        else {
            throw GraphError(
                .invalidAttribute, at: node,
                expected: "a mode, lengths and a number of skips that fit, and a pool of integers",
                found: "\(name), \(shortest)...\(longest), \(maximumSkip), \(strings.isEmpty ? "integers" : "strings")")
        }
        var (numbers, number): ([[Int]: Int], Int) = ([:], 0)
        for (place, start) in starts.enumerated() {
            // The sequences of each length lie behind each other.
            let (length, end) = (place + 1, place + 1 < starts.count ? starts[place + 1] : pool.count)
            guard 0...pool.count ~= start, start...max(start, pool.count) ~= end, (end - start) % length == 0,
                number + (end - start) / length <= indices.count
            else {
                throw GraphError(
                    .invalidAttribute, at: node, expected: "ngram_counts and ngram_indexes of the pool",
                    found: "\(starts)")
            }
            for first in Swift.stride(from: start, to: end, by: length) {
                numbers[Array(pool[first..<first + length])] = number
                number += 1
            }
        }
        self.pool = SequencePool(
            mode, lengths: shortest...longest, maximumSkip: maximumSkip, numbers: numbers, columns: indices,
            weights: weights)
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0, rank: 0...2)
        guard [.int32, .int64].contains(input.type.elementType) else {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: input.name, expected: "int32 or int64",
                found: input.type.elementType.rawValue)
        }
        let rows = input.type.shape.rank == 2 ? [input.type.shape[0]] : []
        return [ValueType(.float32, try node.moderateShape(rows + [pool.width], tensor: input.name))]
    }
}
