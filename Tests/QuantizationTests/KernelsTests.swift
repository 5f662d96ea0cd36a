import CKernels
import Quantization
import Support
import Tensors
import Testing

/// Every variant against the scalar one, and the scalar one against the plainest Swift.
@Suite struct KernelsTests {
    static let vectorVariants = InstructionSet.allCases.filter { $0 > .scalar && $0 <= .best }
    /// Around the widths of vectors and of the loops' steps, and beyond a queue.
    static let sizes = Array(0...70) + [127, 128, 129, 1000, 4099]

    /// Values that trip up vector code: zeros of both signs, subnormals, infinities, NaNs, ties, the largest.
    static let awkward: [Float] = [
        0, -0.0, 1, -1, 0.5, -0.5, 1.5, -2.5, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude,
        -.leastNormalMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .infinity, -.infinity, .nan, -.nan,
        0x1p-120, -0x1p-120, 1e-20, 1e20, 127.5, -128.5,
    ]

    static func values(_ count: Int, _ kind: Int, _ random: inout CounterRandom) -> [Float] {
        (0..<count).map { _ in
            switch kind {
            case 0: random.normal()
            case 1: max(random.normal(), 0)
            case 2: random.uniform() < 0.1 ? awkward.randomElement(using: &random) ?? 0 : random.normal()
            case 3: awkward.filter(\.isFinite).randomElement(using: &random) ?? 0
            default: 0
            }
        }
    }

    /// Calls `body` with elements that are not aligned to more than a float.
    static func unaligned(_ values: [Float], _ shift: Int, _ body: (UnsafePointer<Float>) -> Void) {
        let shifted = [Float](repeating: 7, count: shift) + values + [7]
        shifted.withUnsafeBufferPointer { buffer in
            if let start = buffer.baseAddress { body(start + shift) }
        }
    }

    static func range(_ set: InstructionSet, _ x: UnsafePointer<Float>, _ count: Int) -> qs_range {
        var range = qs_empty_range()
        qs_range(set.isa, x, count, &range)
        return range
    }

    @Test(.enabled(if: !vectorVariants.isEmpty, "this machine has the scalar kernels alone"), arguments: vectorVariants)
    func rangeIsTheScalarOne(set: InstructionSet) {
        var random = CounterRandom(key: 1)
        for count in Self.sizes {
            for kind in 0...4 {
                Self.unaligned(Self.values(count, kind, &random), count % 5) { x in
                    let found = Self.range(set, x, count)
                    let expected = Self.range(.scalar, x, count)
                    #expect(
                        found.minimum == expected.minimum && found.maximum == expected.maximum
                            && found.zeros == expected.zeros && found.nans == expected.nans
                            && found.positive_infinities == expected.positive_infinities
                            && found.negative_infinities == expected.negative_infinities,
                        "\(count) of kind \(kind): \(found), not \(expected)")
                }
            }
        }
    }

    @Test(arguments: InstructionSet.allCases.filter { $0 <= .best }) func histogramCountsBins(set: InstructionSet) {
        var random = CounterRandom(key: 2)
        let perSide = 2048
        for count in [0, 1, 5, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130, 1000, 4099] {
            for kind in 0...4 {
                let values = Self.values(count, kind, &random)
                Self.unaligned(values, count % 5) { x in
                    var range = Self.range(.scalar, x, count)
                    guard range.minimum <= range.maximum else { return }
                    let exponent = Histogram.exponent(for: max(-range.minimum, range.maximum))
                    var counters = [UInt32](repeating: 0, count: 2 * perSide * Int(QS_HISTOGRAM_LANES))
                    counters.withUnsafeMutableBufferPointer { buffer in
                        guard let start = buffer.baseAddress else { return }
                        qs_histogram(
                            set.isa, x, count, &range, Float(sign: .plus, exponent: -exponent, significand: 1),
                            start + perSide * Int(QS_HISTOGRAM_LANES))
                    }
                    var found: [Int: UInt32] = [:]
                    for (index, count) in counters.enumerated() where count > 0 {
                        found[index / Int(QS_HISTOGRAM_LANES) - perSide, default: 0] += count
                    }
                    var expected: [Int: UInt32] = [:]
                    for value in values where value.isFinite && value != 0 {
                        // In double precision the quotient by a power of two is exact.
                        let quotient =
                            (Double(value.magnitude) / Double(sign: .plus, exponent: exponent, significand: 1))
                        let magnitude = Int(quotient.rounded(.down))
                        expected[value < 0 ? -1 - magnitude : magnitude, default: 0] += 1
                    }
                    #expect(found == expected, "\(count) of kind \(kind)")
                }
            }
        }
    }

    @Test(.enabled(if: !vectorVariants.isEmpty, "this machine has the scalar kernels alone"), arguments: vectorVariants)
    func fakeQuantizeIsTheScalarOne(set: InstructionSet) {
        var random = CounterRandom(key: 3)
        let grids: [(Float, Float, Float)] = [
            (0.01, -128, 255), (0.5, 0, 255), (1, -8, 15), (1e-7, -3, 3), (3e30, -1, 65535),
        ]
        for count in Self.sizes {
            for kind in 0...3 {
                for (delta, offset, steps) in grids {
                    Self.unaligned(Self.values(count, kind, &random), count % 5) { x in
                        var found = [Float](repeating: 7, count: count + 1)
                        var expected = found
                        qs_fake_quantize(set.isa, x, &found, count, delta, offset, steps)
                        qs_fake_quantize(QS_ISA_SCALAR, x, &expected, count, delta, offset, steps)
                        #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "\(count) of kind \(kind)")
                    }
                }
            }
        }
    }

    @Test func fakeQuantizeIsTheFormula() {
        var random = CounterRandom(key: 4)
        let values = (0..<5000).map { _ in random.normal() * 2 } + Self.awkward
        for (delta, offset, steps) in [(Float(0.01), Float(-100), Float(255)), (0.5, -8, 15), (1, 0, 3)] {
            var found = values
            qs_fake_quantize(QS_ISA_SCALAR, found, &found, found.count, delta, offset, steps)
            for (value, result) in zip(values, found) {
                let rounded = (value / delta).rounded(.toNearestOrEven)
                let expected = value.isNaN ? offset * delta : min(max(rounded, offset), offset + steps) * delta
                #expect(result == expected, "\(value)")
                #expect(result != 0 || result.sign == .plus)
            }
        }
    }

    @Test func tiesGoToTheEvenGridPoint() {
        var values: [Float] = [-1.5, -0.5, 0.5, 1.5, 2.5]
        qs_fake_quantize(InstructionSet.best.isa, values, &values, values.count, 1, -4, 7)
        #expect(values == [-2, 0, 0, 2, 2])
    }
}
