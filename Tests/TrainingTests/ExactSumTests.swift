import CKernels
import Foundation
import Quantization
import Support
import Tensors
import Testing
import Training

/// Signed integers of 192 bits, for an independent count of what a sum should be: three limbs, low first.
private struct WideInteger: Equatable {
    var limbs: [UInt64] = [0, 0, 0]

    mutating func add(_ other: WideInteger) {
        var carry: UInt64 = 0
        for index in 0..<3 {
            let (first, overflow) = limbs[index].addingReportingOverflow(other.limbs[index])
            let (second, more) = first.addingReportingOverflow(carry)
            limbs[index] = second
            carry = (overflow ? 1 : 0) + (more ? 1 : 0)
        }
    }

    var negated: WideInteger {
        var result = WideInteger(limbs: limbs.map { ~$0 })
        result.add(WideInteger(limbs: [1, 0, 0]))
        return result
    }

    var isNegative: Bool { limbs[2] >> 63 == 1 }

    init(limbs: [UInt64] = [0, 0, 0]) { self.limbs = limbs }

    /// A float in units of 2^-80, towards zero, bit by bit.
    init(units value: Float) {
        let magnitude = value.magnitude
        for bit in 0..<24 where magnitude.significandBit(bit) {
            let place = magnitude.placeOfLastBit + bit + 80
            if place >= 0 { limbs[place / 64] |= 1 << UInt64(place % 64) }
        }
        if value < 0 { self = negated }
    }

    /// Times 2^(exponent - 80), rounded bit by bit to the nearest Float, ties to even.
    func nearestFloat(scaledBy exponent: Int) -> Float {
        let magnitude = isNegative ? negated : self
        guard let top = (0..<192).last(where: { magnitude.bit($0) }) else { return 0 }
        // Keep 24 bits, or fewer where the result is denormal.
        let last = max(top - 23, -149 + 80 - exponent)
        var whole = 0
        for bit in stride(from: top, through: max(last, 0), by: -1) {
            whole = whole * 2 + (magnitude.bit(bit) ? 1 : 0)
        }
        if last < 0 { whole <<= -last }
        let half = last > 0 && magnitude.bit(last - 1)
        let below = last > 1 && (0..<last - 1).contains { magnitude.bit($0) }
        if half && (below || whole % 2 == 1) { whole += 1 }
        let value = scalbn(Double(whole), last - 80 + exponent)
        return Float(isNegative && value != 0 ? -value : value)
    }

    func bit(_ index: Int) -> Bool { index < 192 && limbs[index / 64] >> UInt64(index % 64) & 1 == 1 }
}

extension Float {
    fileprivate func significandBit(_ bit: Int) -> Bool {
        let hidden: UInt32 = isNormal ? 1 << 23 : 0
        return (significandBitPattern | hidden) >> UInt32(bit) & 1 == 1
    }

    fileprivate var placeOfLastBit: Int { max(Int(exponentBitPattern), 1) - 150 }
}

@Suite struct ExactSumTests {
    /// Values of all magnitudes that may be added, and the odd ones among them.
    private static func value(_ random: inout CounterRandom) -> Float {
        switch random.next() % 16 {
        case 0: return 0
        case 1: return -0
        case 2: return Float(bitPattern: UInt32(random.next() & 0x807F_FFFF))
        case 3: return Float(sign: .minus, exponent: 29, significand: Float(1 + Double(random.next() % 4096) / 4096))
        case 4: return Float.leastNonzeroMagnitude
        case 5: return Float(0x1p30).nextDown
        case 6: return -Float(0x1p30).nextDown
        case 7...11: return random.normal() * 1e-3
        default:
            let exponent = Int(random.next() % 157) - 127
            let sign: FloatingPointSign = random.next() & 1 == 0 ? .plus : .minus
            return Float(sign: sign, exponent: exponent, significand: 1 + random.uniform())
        }
    }

    private static let sets = InstructionSet.allCases.filter { $0 <= .best }

    @Test func `any order and any partition give the same bits, those of big integers`() throws {
        for seed in 0..<400 as Range<UInt64> {
            var random = CounterRandom(key: 71, seed)
            let count = Int(random.next() % 70) + 1
            let addends = Int(random.next() % 24) + 1
            let vectors = (0..<addends).map { _ in (0..<count).map { _ in Self.value(&random) } }

            var expected = [WideInteger](repeating: WideInteger(), count: count)
            for vector in vectors {
                for (index, element) in vector.enumerated() { expected[index].add(WideInteger(units: element)) }
            }

            var reference: ExactSum?
            for _ in 0..<8 {
                // Random groups, each summed in a random order by a random kernel, sent or not, and merged in a random order.
                var groups = (0..<Int(random.next() % 6) + 1).map { _ in ExactSum(count: count) }
                for vector in vectors.shuffled(using: &random) {
                    let group = Int(random.next() % UInt64(groups.count))
                    let set = Self.sets[Int(random.next() % UInt64(Self.sets.count))]
                    let result = vector.withUnsafeBufferPointer { elements in
                        Result { try groups[group].add(elements, instructionSet: set) }
                    }
                    try result.get()
                }
                var sum = ExactSum(count: count)
                for group in groups.shuffled(using: &random) {
                    try sum.merge(random.next() & 1 == 0 ? group : ExactSum(decoding: group.encoded(), count: count))
                }
                #expect(sum.addends == addends)
                #expect(sum == reference ?? sum, "seed \(seed)")
                reference = sum
            }
            let sum = try #require(reference)
            for index in 0..<count {
                let sign: UInt64 = sum.high[index] >> 63 == 1 ? .max : 0
                #expect(expected[index].limbs == [sum.low[index], sum.high[index], sign], "seed \(seed), \(index)")
            }
            for exponent in [0, -7, 90, -60, -140] {
                let found = sum.value(scale: scalbn(1, exponent)).map(\.bitPattern)
                let wanted = expected.map { $0.nearestFloat(scaledBy: exponent).bitPattern }
                #expect(found == wanted, "seed \(seed), scale 2^\(exponent)")
            }
        }
    }

    /// Sums that a double holds exactly, scaled: a double's product is rounded twice, so operands are chosen that leave no
    /// tie to the second rounding's chance: products of 24 by 29 bits are exact.
    @Test func `scales other than powers of two are rounded once`() throws {
        var random = CounterRandom(key: 72)
        for _ in 0..<2000 {
            let element = Self.value(&random)
            var sum = ExactSum(count: 1)
            try sum.add([element])
            let scale = Double(random.next() >> 35 | 1) * scalbn(1, Int(random.next() % 60) - 40)
            let onGrid = Double(sum.value()[0])
            #expect(sum.value(scale: scale)[0] == Float(onGrid * scale), "\(element) * \(scale)")
        }
        var third = ExactSum(count: 1)
        try third.add([1])
        #expect(third.value(scale: 1 / 3) == [Float(1.0 / 3)])
    }

    @Test func `values are refused at their index and leave the sum as it was`() throws {
        for count in [1, 7, 64, 5000] {
            for (bad, code) in [
                (Float.nan, TrainingError.Code.notFinite), (-.infinity, .notFinite), (.infinity, .notFinite),
                (0x1p30, .tooLarge), (-0x1p30, .tooLarge), (.greatestFiniteMagnitude, .tooLarge),
            ] {
                var sum = ExactSum(count: count)
                try sum.add([Float](repeating: 0.1, count: count))
                let before = sum
                var vector = [Float](repeating: Float(0x1p30).nextDown, count: count)
                let index = count * 3 / 4
                vector[index] = bad
                vector[count - 1] = bad
                let error = try #require(throws: TrainingError.self) { try sum.add(vector) }
                #expect(error.code == code)
                #expect(error.index == index)
                #expect(sum == before)
            }
        }
        var sum = ExactSum(count: 2)
        #expect(throws: TrainingError.self) { try sum.add([1]) }
        #expect(throws: TrainingError.self) { try sum.merge(ExactSum(count: 3)) }
    }

    @Test func `the stated bound cannot overflow and more addends are refused`() throws {
        let greatest = Float(0x1p30).nextDown
        for sign: Float in [1, -1] {
            var sum = ExactSum(count: 5)
            try sum.add([Float](repeating: sign * greatest, count: 5))
            // Doubling merges until the bound.
            while sum.addends < ExactSum.maximumAddends { try sum.merge(sum) }
            #expect(sum.value() == [Float](repeating: sign * greatest * Float(ExactSum.maximumAddends), count: 5))
            let error = try #require(throws: TrainingError.self) { try sum.add([0, 0, 0, 0, 0]) }
            #expect(error.code == .tooManyAddends)
        }
    }

    @Test func `garbage is refused and no bytes but the encoded ones are read`() throws {
        var random = CounterRandom(key: 73)
        for seed in 0..<200 {
            let count = Int(random.next() % 150)
            var sum = ExactSum(count: count)
            for _ in 0..<3 { try sum.add((0..<count).map { _ in random.next() % 3 == 0 ? 0 : Self.value(&random) }) }
            let data = sum.encoded()
            #expect(try ExactSum(decoding: data, count: count) == sum)
            #expect(throws: TrainingError.self) { try ExactSum(decoding: data, count: count + 1) }
            #expect(throws: TrainingError.self) { try ExactSum(decoding: data + [0], count: count) }
            #expect(throws: TrainingError.self) { try ExactSum(decoding: data.dropLast(), count: count) }
            var bytes = Array(data)
            let place = Int(random.next() % UInt64(bytes.count))
            bytes[place] ^= UInt8(1 << (random.next() % 8))
            // Another sum, or refused; whatever is read is written the same.
            if let read = try? ExactSum(decoding: Data(bytes), count: count) {
                #expect(read.encoded() == Data(bytes), "\(seed)")
            }
        }
        #expect(throws: TrainingError.self) { try ExactSum(decoding: Data(), count: 0) }
    }

    @Test func `gradients are encoded in few bytes`() throws {
        var random = CounterRandom(key: 74)
        let gradients = (0..<64_000).map { _ in random.normal() * 1e-3 }
        var sum = ExactSum(count: gradients.count)
        try sum.add(gradients)
        let bytes = Double(sum.encoded().count) / Double(gradients.count)
        #expect(bytes < 6.5, "\(bytes) bytes per element")
        #expect(sum.value() == gradients)
        #expect(ExactSum(count: 64_000).encoded().count < 2100)
    }
}
