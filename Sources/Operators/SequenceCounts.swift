import Nodes
import Tensors

/// TfIdfVectorizer: how often each of a pool of sequences of integers comes in a row of them, weighted. Pools of
/// strings are refused.
public struct SequenceCounts: Operator {
    public static let opTypes = ["TfIdfVectorizer"]

    /// What becomes of a count: as it is, whether it is not zero, weighted or not.
    private enum Mode: String { case count = "TF", presence = "IDF", weighted = "TFIDF" }

    package let node: Node
    private let mode: Mode
    private let lengths: ClosedRange<Int>
    private let maximumSkip: Int
    /// The number of each sequence in the pool, and by number the column where it counts.
    private let numbers: [[Int]: Int]
    private let columns: [Int]
    private let width: Int
    private let weights: [Float]

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        let name = try attributes.string("mode") ?? ""
        let (shortest, longest) = (
            try attributes.int("min_gram_length", default: 0), try attributes.int("max_gram_length", default: 0)
        )
        maximumSkip = try attributes.int("max_skip_count", default: 0)
        let starts = try attributes.ints("ngram_counts") ?? []
        let indices = try attributes.ints("ngram_indexes", in: 0...1 << 24) ?? []
        let pool = try attributes.ints("pool_int64s") ?? []
        let strings = try attributes.strings("pool_strings") ?? []
        weights = try attributes.floats("weights") ?? []
        try attributes.finish()
        width = (indices.max() ?? -1) + 1
        guard let mode = Mode(rawValue: name), shortest > 0, shortest <= longest, longest <= starts.count,
            0...1 << 20 ~= maximumSkip, strings.isEmpty, weights.isEmpty || weights.count == indices.count, width > 0
        else {
            throw GraphError(
                .invalidAttribute, at: node,
                expected: "a mode, lengths and a number of skips that fit, and a pool of integers",
                found: "\(name), \(shortest)...\(longest), \(maximumSkip), \(strings.isEmpty ? "integers" : "strings")")
        }
        (self.mode, lengths) = (mode, shortest...longest)
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
        (self.numbers, columns) = (numbers, indices)
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
        return [ValueType(.float32, try node.moderateShape(rows + [width], tensor: input.name))]
    }

    /// What becomes of a row of integers.
    package func values(of row: [Int]) -> [Float] {
        var counts = [Float](repeating: 0, count: columns.count)
        for skip in 0...maximumSkip {
            // A single integer has nothing to be skipped.
            let shortest = skip == 0 ? lengths.lowerBound : max(lengths.lowerBound, 2)
            guard shortest <= lengths.upperBound, (shortest - 1) * (skip + 1) < row.count else { break }
            for first in row.indices {
                for length in shortest...lengths.upperBound {
                    let last = first + (length - 1) * (skip + 1)
                    guard last < row.count else { break }
                    let sequence = stride(from: first, through: last, by: skip + 1).map { row[$0] }
                    if let number = numbers[sequence] { counts[number] += 1 }
                }
            }
        }
        var values = [Float](repeating: 0, count: width)
        for (number, count) in counts.enumerated() where count > 0 {
            let weight = weights.isEmpty ? 1 : weights[number]
            switch mode {
            case .count: values[columns[number]] += count
            case .presence: values[columns[number]] = weight
            case .weighted: values[columns[number]] += count * weight
            }
        }
        return values
    }
}
