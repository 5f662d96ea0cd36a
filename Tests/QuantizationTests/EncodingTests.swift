import Quantization
import Tensors
import Testing

@Suite struct EncodingTests {
    /// min, max, bitwidth, symmetric, strict, unsigned, delta, offset
    struct Case: Decodable {
        var min, max: Double
        var bitwidth: Int
        var symmetric, strict, unsigned: Bool
        var delta, offset: Double

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            min = try list.decode(Double.self)
            max = try list.decode(Double.self)
            bitwidth = try list.decode(Int.self)
            symmetric = try list.decode(Bool.self)
            strict = try list.decode(Bool.self)
            unsigned = try list.decode(Bool.self)
            delta = try list.decode(Double.self)
            offset = try list.decode(Double.self)
        }
    }

    @Test func rangesGiveTheEncodingsOfTheReference() throws {
        let cases = try golden("encodings.json", as: [String: [Case]].self)["ranges"]
        for item in try #require(cases) {
            // The reference sees the range through floats.
            let found = Encoding.fromRange(
                min: Double(Float(item.min)), max: Double(Float(item.max)), bitwidth: item.bitwidth,
                symmetric: item.symmetric, strict: item.strict, unsigned: item.unsigned)
            #expect(abs(found.delta - item.delta) <= 1e-6 * item.delta, "\(item)")
            #expect(found.offset == Int(item.offset), "\(item)")
        }
    }

    @Test func invariantsHoldForAnyRange() {
        for seed in UInt64(0)..<5000 {
            var random = CounterRandom(key: 12, seed)
            let scale = Double(sign: .plus, exponent: Int(random.next() % 60) - 30, significand: 1)
            let ends = [Double(random.normal()) * scale, Double(random.normal()) * scale].sorted()
            let bitwidth = 2 + Int(random.next() % 15)
            let (symmetric, strict) = (random.next() % 2 == 0, random.next() % 2 == 0)
            let found = Encoding.fromRange(
                min: ends[0], max: ends[1], bitwidth: bitwidth, symmetric: symmetric, strict: strict)
            #expect(Double(Float(found.delta)) == found.delta && found.delta > 0)
            #expect(found.offset <= 0 && -found.offset <= found.steps)
            #expect(found.steps == (1 << bitwidth) - (symmetric && strict ? 2 : 1))
            #expect(found.min == found.delta * Double(found.offset) && found.min <= 0 && found.max >= 0)
            // Both ends of the range are within a step of the grid, those of two bits aside.
            if bitwidth > 2 {
                #expect(ends[0] >= found.min - found.delta && ends[1] <= found.max + found.delta, "seed \(seed)")
            }
        }
    }

    @Test func symmetricGridsFollowTheLargerSide() {
        func delta(_ min: Double, _ max: Double) -> Double {
            Encoding.fromRange(min: min, max: max, bitwidth: 8, symmetric: true).delta
        }
        #expect(delta(-1, 2) == Double(Float(2.0 / 127)))
        #expect(delta(-2, 1) == 2.0 / 128)
    }

    /// Of values near the ends of float32 the range is none itself, and a grid point beyond would be infinite.
    @Test(arguments: [2, 3, 4, 6, 8, 12, 16], [true, false])
    func gridsOfAllFloatsAreFinite(_ bitwidth: Int, _ symmetric: Bool) throws {
        let greatest = Float.greatestFiniteMagnitude
        for (low, high) in [(-greatest, greatest), (-greatest, 1), (0, greatest), (-greatest, greatest / 3)] {
            for isStrict in symmetric ? [true, false] : [false] {
                let found = Encoding.fromRange(
                    min: Double(low), max: Double(high), bitwidth: bitwidth, symmetric: symmetric, strict: isStrict)
                #expect(found.delta.isFinite && Double(Float(found.delta)) == found.delta)
                #expect(max(-found.min, found.max) <= Double(greatest))
                #expect(max(-found.min, found.max) >= Double(greatest) / 2)
                let values = try FakeQuantizer(TensorEncodings(found)).applied(to: Tensor(shape: [2], [low, high]))
                let isFinite = values.elements(as: Float.self).allSatisfy { $0.isFinite }
                #expect(isFinite, "\(found)")
            }
        }
    }

    @Test func theLeastDeltaKeepsTheGridWide() {
        let found = Encoding.fromRange(min: 0, max: 0, bitwidth: 8, symmetric: false)
        #expect(found.delta == 0x1p-23 && found.offset == 0)
    }
}
