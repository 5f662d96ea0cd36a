import Foundation
import Quantization
import Tensors
import Testing

@Suite struct ExactTotalTests {
    private func total(_ values: [Double]) -> ExactTotal {
        var total = ExactTotal()
        for value in values { total.add(value) }
        return total
    }

    @Test(
        arguments: [
            [], [0], [1], [0.1], [.leastNonzeroMagnitude], [.greatestFiniteMagnitude], [.leastNormalMagnitude],
            [0x1p-1030],
        ] as [[Double]])
    func oneValueIsItself(_ values: [Double]) { #expect(total(values).value == values.first ?? 0) }

    /// Rounding happens once, at the end: to the nearest, ties to even.
    @Test(
        arguments: [
            ([1, 0x1p-53], 1), ([1, 0x1p-53, .leastNonzeroMagnitude], 1 + 0x1p-52),
            ([1 + 0x1p-52, 0x1p-53], 1 + 0x1p-51),
            ([0x1p1000, 1, 0x1p-1000], 0x1p1000), (Array(repeating: 0x1p-54, count: 4) + [1], 1 + 0x1p-52),
            ([.greatestFiniteMagnitude, .greatestFiniteMagnitude], .infinity), ([0.1, 0.2, 0.3], 0.6),
        ] as [([Double], Double)])
    func sums(_ values: [Double], _ expected: Double) {
        #expect(total(values).value == expected)
        #expect(total(values.reversed()) == total(values))
    }

    /// Any order, any grouping, over all magnitudes; and what is decoded is what was encoded.
    @Test func orderAndGroupingDoNotMatter() throws {
        var random = CounterRandom(key: 5, 0)
        let values = (0..<2000).map { _ in
            Double(bitPattern: random.next() & 0x7FFF_FFFF_FFFF_FFFF)
        }.map { $0.isFinite ? $0 : 1 }
        let whole = total(values)
        for parts in [2, 7, 100] {
            var merged = ExactTotal()
            for part in (0..<parts).reversed() {
                merged.merge(total(values.indices.filter { $0 % parts == part }.map { values[$0] }.reversed()))
            }
            #expect(merged == whole)
        }
        let data = try JSONEncoder().encode(whole)
        #expect(try JSONDecoder().decode(ExactTotal.self, from: data) == whole)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(ExactTotal.self, from: Data(#"{"first": 33, "words": [1, 2]}"#.utf8))
        }
    }
}

@Suite struct NoiseStatisticsTests {
    private func noise(_ values: [Float], _ reference: [Float], layoutZeros: Int = 0) -> NoiseStatistics {
        var noise = NoiseStatistics()
        values.withUnsafeBufferPointer { values in
            reference.withUnsafeBufferPointer { noise.add(values, comparedWith: $0, layoutZeros: layoutZeros) }
        }
        return noise
    }

    /// Every length of the tail.
    @Test(arguments: 0..<20) func sumsOfSquares(_ count: Int) {
        let reference = (0..<count).map { Float($0) - 3 }
        let noise = noise(reference.map { $0 + 0.5 }, reference)
        #expect(noise.count == count && noise.leftOut == 0)
        #expect(noise.meanSquaredError == (count > 0 ? 0.25 : nil))
        guard count > 0 else { return }
        let signal = reference.reduce(0) { $0 + Double($1) * Double($1) }
        let expected = 10 * log10(signal / (0.25 * Double(count)))
        #expect(abs((noise.signalToNoise ?? 0) - expected) < 1e-12)
    }

    @Test func whatIsNotFiniteIsLeftOut() {
        let found = noise([1, .nan, 3, .infinity, 5], [1, 2, .infinity, .infinity, 3])
        #expect((found.count, found.leftOut, found.meanSquaredError) == (2, 3, 2))
        #expect(noise([.nan], [1]).meanSquaredError == nil)
        let greatest = Float.greatestFiniteMagnitude
        let large = noise([greatest, -greatest], [-greatest, greatest])
        #expect(large.leftOut == 0 && abs((large.signalToNoise ?? 0) + 20 * log10(2)) < 1e-12)
    }

    @Test func equalValuesHaveNoRatio() {
        let equal = noise([1, 2], [1, 2])
        #expect(equal.signalToNoise == nil && equal.meanSquaredError == 0)
        #expect(noise([1, 1], [0, 0]).signalToNoise == nil)
        #expect(noise([1, 2, 0, 0], [1, 1, 0, 0], layoutZeros: 2).meanSquaredError == 0.5)
    }
}
