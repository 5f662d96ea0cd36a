import Foundation
import Quantization
import Tensors
import Testing

/// What holds for every scheme.
@Suite struct SchemeTests {
    static let seed: UInt64 = 20_417
    static let schemes: [Scheme] = [.tf, .tfEnhanced, .percentile(99.99), .percentile(80), .mse, .entropy]

    @Test(arguments: Distribution.allCases, schemes) func everyGridObeysTheInvariants(
        _ distribution: Distribution, _ scheme: Scheme
    ) throws {
        let observed = statistics(distribution.sample(700, seed: Self.seed))
        for shape in GridShape.allCases {
            for bitwidth in [2, 4, 8, 16] {
                let label: Comment = "\(distribution), \(scheme), \(shape), \(bitwidth) bits, seed \(Self.seed)"
                let found = try #require(shape.settings(bitwidth, scheme).encoding(for: observed), label)
                let steps = (1 << bitwidth) - (shape == .strict ? 2 : 1)
                #expect(found.bitwidth == bitwidth && found.steps == steps, label)
                #expect(found.delta > 0 && found.delta.isFinite && Double(Float(found.delta)) == found.delta, label)
                #expect(found.min.isFinite && found.max.isFinite, label)
                // Zero is the grid point -offset.
                #expect(found.offset <= 0 && -found.offset <= found.steps, label)
                #expect(found.min == Double(found.offset) * found.delta, label)
                #expect(found.max == Double(found.offset + found.steps) * found.delta, label)
                if shape == .symmetric || shape == .strict {
                    #expect(
                        found.symmetric && found.offset == -(1 << (bitwidth - 1)) + (shape == .strict ? 1 : 0), label)
                }
                if shape == .unsignedSymmetric, observed.minimum == 0, observed.maximum != 0 {
                    #expect(found.offset == 0, label)
                }
            }
        }
    }

    @Test(arguments: schemes) func nothingFiniteHasNoEncoding(_ scheme: Scheme) {
        #expect(GridShape.asymmetric.settings(8, scheme).encoding(for: TensorStatistics()) == nil)
        #expect(GridShape.asymmetric.settings(8, scheme).encoding(for: statistics([.nan, .infinity])) == nil)
    }

    /// In any split and order, whatever the parts' own ranges.
    @Test(arguments: Distribution.allCases, schemes) func mergedStatisticsGiveTheEncodingOfTheWhole(
        _ distribution: Distribution, _ scheme: Scheme
    ) {
        let values = distribution.sample(3000, seed: Self.seed)
        let whole = statistics(values)
        var merged = TensorStatistics()
        for part in [2000..<3000, 0..<50, 50..<2000] { merged.merge(statistics(Array(values[part]))) }
        for shape in GridShape.allCases {
            let settings = shape.settings(4, scheme)
            #expect(settings.encoding(for: merged) == settings.encoding(for: whole), "\(shape), seed \(Self.seed)")
        }
    }

    /// Where `percentile` is not below `tf` on 500,000 values: 8 bits are so many that what 99.99 percent leave out of a tail
    /// costs more than the range that it takes, up to 7 dB on these distributions.
    static func percentile(_ bitwidth: Int) -> Double { bitwidth == 8 ? 99.9995 : 99.99 }

    /// Over the values, not over the histogram that the schemes have seen.
    @Test(arguments: Distribution.heavyTailed, [2, 4, 8]) func heavyTailsAreQuantizedBetterThanWithTheWholeRange(
        _ distribution: Distribution, _ bitwidth: Int
    ) throws {
        let values = distribution.sample(500_000, seed: Self.seed)
        let observed = statistics(values)
        for shape in GridShape.allCases {
            func ratio(_ scheme: Scheme) throws -> Double {
                try signalToNoise(values, #require(shape.settings(bitwidth, scheme).encoding(for: observed)))
            }
            let reference = try ratio(.tf)
            for scheme in [Scheme.percentile(Self.percentile(bitwidth)), .mse, .entropy] {
                let found = try ratio(scheme)
                #expect(found >= reference, "\(scheme), \(shape), seed \(Self.seed): \(found) dB, tf \(reference) dB")
            }
        }
    }

    @Test func schemesAreWrittenAsNamesAndMappings() throws {
        func json(_ scheme: Scheme) throws -> String {
            String(decoding: try JSONEncoder().encode([scheme]), as: UTF8.self)
        }
        #expect(try json(.tfEnhanced) == "[\"tf_enhanced\"]")
        #expect(try json(.percentile(99.5)) == "[{\"percentile\":99.5}]")
        for scheme in Self.schemes {
            let read = try JSONDecoder().decode([Scheme].self, from: Data(json(scheme).utf8))
            #expect(read == [scheme])
        }
        for wrong in ["[\"tff\"]", "[{\"percentile\":50}]", "[{\"percentile\":101}]", "[{}]"] {
            #expect(throws: DecodingError.self) { try JSONDecoder().decode([Scheme].self, from: Data(wrong.utf8)) }
        }
    }
}
