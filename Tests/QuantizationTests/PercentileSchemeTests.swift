import Quantization
import Tensors
import Testing

@Suite struct PercentileSchemeTests {
    private static func encoding(_ percent: Double, _ values: [Float], bitwidth: Int = 16) throws -> Encoding {
        try #require(GridShape.asymmetric.settings(bitwidth, .percentile(percent)).encoding(for: statistics(values)))
    }

    @Test(arguments: Distribution.allCases) func aHundredPercentIsTheObservedRange(_ distribution: Distribution) throws
    {
        let observed = statistics(distribution.sample(1000, seed: 3))
        for shape in GridShape.allCases {
            #expect(
                shape.settings(8, .percentile(100)).encoding(for: observed)
                    == shape.settings(8, .tf).encoding(for: observed))
        }
    }

    /// Against the values in order; the histogram knows them to a bin.
    @Test(arguments: [Distribution.normal, .laplace, .studentT3, .relu, .lognormalRelu, .withNonFinite])
    func rangesLeaveOutWhatThePercentageSays(_ distribution: Distribution) throws {
        let values = distribution.sample(20_000, seed: 4)
        let finite = values.filter(\.isFinite).sorted()
        let bin = try #require(statistics(values).histogram).binWidth
        for percent in [60, 90, 99, 99.9, 99.99] {
            let found = try Self.encoding(percent, values)
            // Elements that may lie outside on each side.
            let allowed = Int((Double(finite.count) * (100 - percent) / 100).rounded(.down))
            let (low, high) = (Double(finite[allowed]), Double(finite[finite.count - 1 - allowed]))
            #expect(abs(found.max - max(high, 0)) <= bin + found.delta, "\(percent): \(found.max), \(high)")
            #expect(abs(found.min - min(low, 0)) <= bin + found.delta, "\(percent): \(found.min), \(low)")
        }
    }

    /// Ten values at 0, 1, ... 9 ten times over: 90 percent leave out the nines.
    @Test func theEndLiesWithinItsBin() throws {
        let values = (0..<100).map { Float($0 % 10) }
        let nines = try Self.encoding(95, values)
        // Half of the nines, which the histogram takes for spread over [9, 9 + 1/128), of which none is above 9.
        #expect(abs(nines.max - 9) < 1e-3)
        let eights = try Self.encoding(85, values)
        #expect(abs(eights.max - (8 + 0.5 / 128)) < 1e-3)
    }

    @Test func whereAlmostAllIsZeroTheRestIsKept() throws {
        let values = [Float](repeating: 0, count: 100_000) + [1, -2]
        #expect(try Self.encoding(99.99, values) == Self.encoding(100, values))
    }
}
