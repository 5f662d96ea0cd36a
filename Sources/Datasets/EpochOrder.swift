import Tensors

/// The order of the samples in an epoch: a permutation that is a pure function of seed, epoch and number of samples, each
/// of whose elements is computed on its own, without memory for the others.
///
/// Indices are numbered as cells of a grid of `rows * columns >= count`, as square as possible. A Feistel network
/// permutes the cells: by turns, the row is moved by a random number that depends on the column, and the column by one
/// that depends on the row. A cell at or beyond `count` is permuted again until it is below (cycle walking; Black and
/// Rogaway, "Ciphers with Arbitrary Finite Domains", 2002), which makes a permutation of `0..<count`. The grid is hardly
/// larger than the samples, so that is rare.
public struct EpochOrder: Equatable, Sendable {
    /// Samples.
    public let count: Int
    private let rows: UInt64
    private let columns: UInt64
    private let roundKeys: [UInt64]

    /// Four rounds make a network hard to tell from chance; the small grids of small datasets take more.
    private static let rounds = 12
    /// Keeps these random numbers apart from others with the same seed.
    private static let purpose: UInt64 = 0x6F72_6465_7200

    /// - Parameters:
    ///   - epoch: from 0.
    ///   - count: samples; not negative.
    public init(seed: UInt64, epoch: Int, count: Int) {
        precondition(epoch >= 0 && count >= 0, "epoch \(epoch) of \(count) samples")
        self.count = count
        var side = UInt64(Double(count).squareRoot())
        while side * side < UInt64(count) { side += 1 }
        rows = max(side, 1)
        columns = max((UInt64(count) + rows - 1) / rows, 1)
        var random = CounterRandom(key: Self.purpose, seed, UInt64(epoch), UInt64(count))
        roundKeys = (0..<Self.rounds).map { _ in random.next() }
    }

    /// The sample at a position.
    public subscript(position: Int) -> Int {
        precondition((0..<count).contains(position), "position \(position) of \(count)")
        var cell = UInt64(position)
        repeat { cell = permuted(cell) } while cell >= UInt64(count)
        return Int(cell)
    }

    private func permuted(_ cell: UInt64) -> UInt64 {
        var (row, column) = cell.quotientAndRemainder(dividingBy: columns)
        for (round, key) in roundKeys.enumerated() {
            if round.isMultiple(of: 2) {
                row = (row + Self.random(key, column, below: rows)) % rows
            } else {
                column = (column + Self.random(key, row, below: columns)) % columns
            }
        }
        return row * columns + column
    }

    private static func random(_ key: UInt64, _ value: UInt64, below bound: UInt64) -> UInt64 {
        var random = CounterRandom(key: key, value)
        return random.next().multipliedFullWidth(by: bound).high
    }
}
