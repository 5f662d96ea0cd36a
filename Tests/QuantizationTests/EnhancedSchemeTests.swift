import Quantization
import Tensors
import Testing

@Suite struct EnhancedSchemeTests {
    static func settings(_ bitwidth: Int = 8, symmetric: Bool = false) -> QuantizerSettings {
        QuantizerSettings(bitwidth: bitwidth, symmetric: symmetric, scheme: .tfEnhanced)
    }

    /// Mean squared error over the values themselves.
    static func squaredError(_ values: [Float], _ encoding: Encoding) throws -> Double {
        let results = try FakeQuantizer(TensorEncodings(encoding)).applied(to: Tensor(shape: [values.count], values))
        return zip(values, results.elements(as: Float.self)).reduce(0) {
            $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
        } / Double(values.count)
    }

    static func sample(_ kind: Int, _ random: inout CounterRandom) -> [Float] {
        (0..<4000).map { _ in
            let value = random.normal()
            return switch kind {
            case 0: value
            case 1: max(value, 0)
            case 2: value * value * value
            case 3: min(max(value * 3, 0), 6)
            default: value * 0.01 + 100
            }
        }
    }

    /// The estimate from the histogram against the values themselves, over grids fine and coarse, wide and narrow.
    @Test(arguments: 0..<5) func costIsTheErrorOverTheValues(kind: Int) throws {
        var random = CounterRandom(key: 40, UInt64(kind))
        let values = Self.sample(kind, &random)
        let histogram = try #require(statistics(values).histogram)
        let cost = QuantizationCost(histogram)
        let (least, greatest) = (Double(values.min() ?? 0), Double(values.max() ?? 0))
        for bitwidth in [2, 4, 8] {
            for part in [0.2, 0.7, 1, 1.3] {
                let encoding = Encoding.fromRange(
                    min: min(least * part, 0), max: max(greatest * part, 0), bitwidth: bitwidth, symmetric: false)
                let estimated = cost.errors(of: encoding)
                let unit = histogram.binWidth * histogram.binWidth / Double(values.count)
                let measured = try Self.squaredError(values, encoding)
                #expect(estimated.rounding >= -1e-6 && estimated.clipping >= -1e-6)
                #expect(
                    abs(estimated.plain * unit - measured) <= 0.05 * measured + 0.5 * unit * Double(values.count),
                    "\(bitwidth) bits, \(part): \(estimated.plain * unit), measured \(measured)")
            }
        }
    }

    @Test func errorIsBelowThatOfTheWholeRangeAndOfOtherRanges() throws {
        for kind in 0..<4 {
            var random = CounterRandom(key: 41, UInt64(kind))
            let values = Self.sample(kind, &random)
            let found = try #require(Self.settings(4).encoding(for: statistics(values)))
            let error = try Self.squaredError(values, found)
            let whole = Encoding.fromRange(
                min: Double(values.min() ?? 0), max: Double(values.max() ?? 0), bitwidth: 4, symmetric: false)
            #expect(error <= 1.02 * (try Self.squaredError(values, whole)))
            for part in stride(from: 0.1, through: 1, by: 0.05) {
                let other = Encoding.fromRange(
                    min: whole.min * part, max: whole.max * part, bitwidth: 4, symmetric: false)
                // The plain optimum clips more than the scheme wants to; it is not far below.
                #expect(error <= 1.2 * (try Self.squaredError(values, other)), "kind \(kind), \(part)")
            }
        }
    }

    @Test func outliersAreClipped() throws {
        var random = CounterRandom(key: 42)
        let values = (0..<100_000).map { _ in random.normal() } + [20]
        let asymmetric = try #require(Self.settings(4).encoding(for: statistics(values)))
        #expect(asymmetric.max < 20)
        let symmetric = try #require(Self.settings(4, symmetric: true).encoding(for: statistics(values)))
        #expect(symmetric.max < 20 && symmetric.offset == -8)
    }

    @Test func zerosAndSingleValues() throws {
        #expect(Self.settings().encoding(for: TensorStatistics()) == nil)
        #expect(Self.settings().encoding(for: statistics([.nan, .infinity])) == nil)
        let zeros = try #require(Self.settings().encoding(for: statistics([0, 0])))
        #expect(zeros == Encoding.fromRange(min: -1, max: 1, bitwidth: 8, symmetric: false))
        let six = try #require(Self.settings().encoding(for: statistics([6])))
        #expect(try Self.squaredError([6], six) <= 1e-10 && six.min == 0)
    }

    @Test(arguments: [2, 3, 8, 12, 16]) func everyBitwidthAndSymmetryGivesALegalGrid(bitwidth: Int) throws {
        for symmetric in [false, true] {
            for kind in 0..<5 {
                var random = CounterRandom(key: 43, UInt64(kind))
                let values = Array(Self.sample(kind, &random).prefix(500))
                let found = try #require(
                    Self.settings(bitwidth, symmetric: symmetric).encoding(for: statistics(values)))
                #expect(found.steps == 1 << bitwidth - 1 && found.offset <= 0 && -found.offset <= found.steps)
                #expect(symmetric ? found.offset == -(1 << (bitwidth - 1)) : true)
            }
        }
    }

    @Test func unsignedSymmetricUsesTheWholeGrid() throws {
        var settings = Self.settings(symmetric: true)
        settings.unsignedSymmetric = true
        #expect(try #require(settings.encoding(for: statistics([1, 2, 3]))).offset == 0)
        #expect(try #require(settings.encoding(for: statistics([-1, 2, 3]))).offset == -128)
    }
}
