/// Sequences of integers that are counted in rows of integers.
package struct SequencePool: Sendable {
    /// What becomes of a count: as it is, whether it is not zero, or weighted.
    package enum Mode: String, Sendable { case count = "TF", presence = "IDF", weighted = "TFIDF" }

    private let mode: Mode
    private let lengths: ClosedRange<Int>
    private let maximumSkip: Int
    private let numbers: [[Int]: Int]
    private let columns: [Int]
    private let weights: [Float]
    /// Of a row's result.
    package let width: Int

    /// - Parameters:
    ///   - lengths: of the sequences that are counted.
    ///   - maximumSkip: how many integers may lie between neighbours of a sequence, always as many.
    ///   - numbers: of each sequence.
    ///   - columns: by number, where it counts.
    ///   - weights: by number; none where all are 1.
    package init(
        _ mode: Mode, lengths: ClosedRange<Int>, maximumSkip: Int, numbers: [[Int]: Int], columns: [Int],
        weights: [Float]
    ) {
        (self.mode, self.lengths, self.maximumSkip) = (mode, lengths, maximumSkip)
        (self.numbers, self.columns, self.weights) = (numbers, columns, weights)
        width = (columns.max() ?? -1) + 1
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
