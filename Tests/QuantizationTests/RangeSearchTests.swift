import Foundation
import Quantization
import Tensors
import Testing

/// The searches against all ranges whose ends lie at edges of bins.
@Suite struct RangeSearchTests {
    static let distributions: [Distribution] = [.normal, .laplace, .studentT3, .relu, .lognormalRelu, .outlier]

    /// How far the least cost that is found may lie above that of all ranges that were tried. Divergences jump as bins move
    /// from one grid point to the next.
    static let tolerance = (squaredError: 1.005, divergence: 1.12)

    /// The ranges to try: one for each bin edge where the grid has one end to choose, else pairs of every `stride`th.
    static func ranges(_ histogram: Histogram, _ shape: GridShape, stride step: Int) -> [(Double, Double)] {
        let edges = (0...histogram.counts.count).map { histogram.lowerEdge($0) }
        let (lows, highs) = (edges.filter { $0 < 0 }, edges.filter { $0 > 0 })
        if shape == .symmetric || shape == .strict || shape == .unsignedSymmetric && lows.isEmpty {
            return (lows.map { -$0 } + highs).map { (lows.isEmpty ? 0 : -$0, $0) }
        }
        if shape == .unsignedSymmetric { return (lows.map { -$0 } + highs).map { (-$0, $0) } }
        if lows.isEmpty { return highs.map { (0, $0) } }
        func some(_ edges: [Double]) -> [Double] { Swift.stride(from: 0, to: edges.count, by: step).map { edges[$0] } }
        return some(lows).flatMap { low in some(highs).map { (low, $0) } }
    }

    static func least(
        _ histogram: Histogram, _ shape: GridShape, _ settings: QuantizerSettings, stride: Int,
        _ cost: (Encoding) -> Double
    ) -> Double {
        var least = Double.infinity
        for (low, high) in ranges(histogram, shape, stride: stride) {
            least = min(least, cost(settings.encoding(min: low, max: high)))
        }
        return least
    }

    @Test(arguments: distributions, GridShape.allCases) func squaredErrorIsTheLeast(
        _ distribution: Distribution, _ shape: GridShape
    ) throws {
        for bitwidth in [2, 3, 4, 8] {
            let observed = statistics(distribution.sample(20_000, seed: UInt64(bitwidth)))
            let histogram = try #require(observed.histogram)
            let cost = QuantizationCost(histogram)
            let settings = shape.settings(bitwidth, .mse)
            let found = cost.errors(of: try #require(settings.encoding(for: observed))).plain
            let least = Self.least(histogram, shape, settings, stride: 16) { cost.errors(of: $0).plain }
            #expect(found <= Self.tolerance.squaredError * least, "\(bitwidth) bits: \(found), least \(least)")
        }
    }

    @Test(arguments: distributions, GridShape.allCases) func divergenceIsTheLeast(
        _ distribution: Distribution, _ shape: GridShape
    ) throws {
        for bitwidth in [2, 3, 4, 8] {
            let observed = statistics(distribution.sample(20_000, seed: UInt64(bitwidth)))
            let histogram = try #require(observed.histogram)
            let cost = QuantizationCost(histogram)
            let divergence = QuantizationDivergence(histogram)
            let settings = shape.settings(bitwidth, .entropy)
            let whole = try #require(shape.settings(bitwidth, .tf).encoding(for: observed))
            let limit = cost.errors(of: whole).plain
            func allowed(_ encoding: Encoding) -> Double {
                guard encoding.delta >= histogram.binWidth, cost.errors(of: encoding).plain <= limit else {
                    return .infinity
                }
                return divergence.divergence(of: encoding)
            }
            let found = allowed(try #require(settings.encoding(for: observed)))
            let least = Self.least(histogram, shape, settings, stride: 16, allowed)
            #expect(found <= divergence.divergence(of: whole))
            #expect(found <= Self.tolerance.divergence * least, "\(bitwidth) bits: \(found), least \(least)")
        }
    }

    /// Bin by bin, as the definition says.
    static func divergence(_ histogram: Histogram, _ encoding: Encoding) -> Double {
        var cells: [Int: [Int]] = [:]
        var (p, kept) = (histogram.counts.map { Double($0) }, 0.0)
        var (below, above) = (0.0, 0.0)
        for index in p.indices {
            let center = histogram.lowerEdge(index) + histogram.binWidth / 2
            let point = center / encoding.delta - Double(encoding.offset)
            if point < -0.5 {
                below += p[index]
            } else if point >= Double(encoding.steps) + 0.5 {
                above += p[index]
            } else {
                cells[Int((point + 0.5).rounded(.down)), default: []].append(index)
                kept += p[index]
            }
        }
        let total = p.reduce(0, +)
        let inside = cells.values.joined().sorted()
        guard let first = inside.first, let last = inside.last, kept > 0 else { return .infinity }
        var q = [Double](repeating: 0, count: p.count)
        for bins in cells.values {
            let full = bins.filter { p[$0] > 0 }
            for bin in full { q[bin] = full.reduce(0) { $0 + p[$1] } / Double(full.count) }
        }
        p[first] += below
        p[last] += above
        for index in inside where p[index] > 0 && q[index] == 0 { q[index] = 1e-4 }
        return inside.reduce(0) {
            p[$1] > 0 ? $0 + p[$1] / total * log(p[$1] / total / (q[$1] / kept)) : $0
        }
    }

    @Test(arguments: distributions) func divergenceIsThatOfTheDefinition(_ distribution: Distribution) throws {
        for seed in UInt64(0)..<40 {
            var random = CounterRandom(key: 91, seed)
            let values = distribution.sample(300 + Int(random.next() % 5000), seed: seed)
            let histogram = try #require(statistics(values).histogram)
            let bitwidth = [2, 3, 4, 6, 8, 12][Int(random.next() % 6)]
            let (least, greatest) = (Double(values.min() ?? 0), Double(values.max() ?? 0))
            let encoding = Encoding.fromRange(
                min: min(least, 0) * Double(random.uniform()), max: max(greatest, 0) * Double(random.uniform()),
                bitwidth: bitwidth, symmetric: random.next() % 2 == 0)
            let found = QuantizationDivergence(histogram).divergence(of: encoding)
            let expected = Self.divergence(histogram, encoding)
            #expect(
                found == expected || abs(found - expected) <= 1e-9 * (1 + abs(expected)),
                "seed \(seed), \(bitwidth) bits: \(found), \(expected)")
        }
    }

    /// A grid with a point for each value changes nothing, and no range is better.
    @Test func whereNothingIsLostTheRangeIsTheObservedOne() throws {
        let values = (0..<1000).map { Float($0 % 16) - 5 }
        for shape in GridShape.allCases {
            let found = shape.settings(8, .entropy).encoding(for: statistics(values))
            #expect(found == shape.settings(8, .tf).encoding(for: statistics(values)), "\(shape)")
        }
    }

    /// One value in 100,000 at 40, the others within 5.
    @Test(arguments: [Scheme.mse, .entropy]) func anOutlierIsClipped(_ scheme: Scheme) throws {
        let values = Distribution.outlier.sample(100_000, seed: 8)
        for shape in [GridShape.asymmetric, .symmetric, .strict] {
            let found = try #require(shape.settings(4, scheme).encoding(for: statistics(values)))
            #expect(found.max < 20, "\(shape): \(found.max)")
        }
    }
}
