import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct EpochOrderTests {
    @Test func `every epoch is a permutation`() {
        var random = CounterRandom(key: 91)
        let counts = Array(0...40) + (0..<15).map { _ in Int(random.next() % 3000) } + [10_000]
        for count in counts {
            for epoch in [0, 1, 7] {
                let order = EpochOrder(seed: random.next(), epoch: epoch, count: count)
                var seen = [Bool](repeating: false, count: count)
                for position in 0..<count { seen[order[position]] = true }
                #expect(seen.allSatisfy { $0 }, "\(count)")
            }
        }
    }

    @Test func `orders depend on seed and epoch, and on nothing else`() {
        func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
            let order = EpochOrder(seed: seed, epoch: epoch, count: 1000)
            return (0..<1000).map { order[$0] }
        }
        #expect(order(1, 2) == order(1, 2))
        #expect(order(1, 2) != order(1, 3) && order(1, 2) != order(2, 2))
    }

    /// The very numbers of another implementation: trained weights depend on them.
    @Test func `orders are those of the documented network`() throws {
        let url = goldenFolder("Datasets").appendingPathComponent("orders.csv")
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n").dropFirst()
        #expect(lines.count == 5)
        for line in lines {
            let fields = line.split(separator: ",")
            let numbers = fields.dropFirst().compactMap { Int($0) }
            let order = EpochOrder(seed: try #require(UInt64(fields[0])), epoch: numbers[0], count: numbers[1])
            #expect((0..<numbers.count - 2).map { order[$0] } == Array(numbers[2...]), "\(line)")
        }
    }

    /// All permutations of few samples are about equally frequent (chi-square, with a bound that chance passes once in a
    /// million times).
    @Test(arguments: [(2, 45.0), (3, 45.0), (4, 75.0), (5, 215.0)])
    func `small permutations are uniform`(count: Int, bound: Double) {
        var counts: [[Int]: Int] = [:]
        let permutations = (1...count).reduce(1, *)
        let draws = 200 * permutations
        for seed in 0..<draws {
            let order = EpochOrder(seed: UInt64(seed), epoch: 3, count: count)
            counts[(0..<count).map { order[$0] }, default: 0] += 1
        }
        let statistic = counts.values.reduce(0.0) { $0 + Double(($1 - 200) * ($1 - 200)) / 200 }
        #expect(counts.count == permutations && statistic < bound, "\(statistic)")
    }

    /// Where a sample goes, and how far neighbours part, in larger orders.
    @Test func `places are uniform and neighbours part`() {
        let count = 1000
        var places = [Int](repeating: 0, count: 10)
        var steps = [Int](repeating: 0, count: 10)
        for seed in 0..<2000 as Range<UInt64> {
            let order = EpochOrder(seed: seed, epoch: 0, count: count)
            places[order[17] / 100] += 1
            steps[(order[501] - order[500] + count) % count / 100] += 1
        }
        for counts in [places, steps] {
            let statistic = counts.reduce(0.0) { $0 + Double(($1 - 200) * ($1 - 200)) / 200 }
            #expect(statistic < 45, "\(counts)")
        }
    }
}
