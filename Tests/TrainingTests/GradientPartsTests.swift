import Foundation
import Quantization
import Tensors
import Testing
import Training

/// Sums of slots' gradients, exchanged in parts.
@Suite struct GradientPartsTests {
    /// Gradients of very different sizes from block to block, with zeros and denormals among them.
    private static func gradient(_ slot: Int, count: Int) -> [Float] {
        var random = CounterRandom(key: 70, UInt64(slot))
        return (0..<count).map { index in
            let scale = Float(sign: .plus, exponent: index / 300 % 40 - 35, significand: 1)
            return random.next() % 16 == 0 ? 0 : random.normal() * scale
        }
    }

    /// What workers that share the slots out in some way make of them, each owning every n-th part.
    private static func reduced(
        _ shares: [[Int]], count: Int, _ precision: GradientPrecision, stretch: Int, isShuffled: Bool = false,
        memory: SumMemory = SumMemory(limit: 0)
    ) throws -> [[Float]] {
        let workers = try shares.map { slots in
            let parts = GradientParts(count: count, precision: precision, memory: memory)
            for slot in slots {
                var writer = SlotGradient(of: slot, to: parts)
                let gradient = Self.gradient(slot, count: count)
                var starts = Array(stride(from: 0, to: count, by: stretch))
                if isShuffled { starts.reverse() }
                for start in starts {
                    try gradient[start..<min(start + stretch, count)].withUnsafeBufferPointer {
                        try writer.take($0, at: start)
                    }
                }
                #expect(writer.isWhole)
            }
            return parts
        }
        for part in 0..<workers[0].partCount {
            let owner = part % workers.count
            workers[owner].beginReducing(part: part)
            for (index, worker) in workers.enumerated().reversed() where index != owner {
                #expect(worker.isComplete(part: part, slots: Set(shares[index])))
                try workers[owner].add(worker.contribution(part: part), to: part)
            }
            let data = try workers[owner].reduced(part: part)
            for (index, worker) in workers.enumerated() where index != owner { try worker.install(data, part: part) }
        }
        return try workers.map { try #require($0.result()) }
    }

    /// Whether all bits are equal. Arrays this long are not compared in an expectation, which would print them for minutes.
    private static func isSame(_ left: [Float], _ right: [Float]) -> Bool {
        left.map(\.bitPattern) == right.map(\.bitPattern)
    }

    @Test func aStepFindsNothingOfFormerOnesInTheirMemory() throws {
        let count = GradientParts.partSize * 2 + 12_345
        let memory = SumMemory(limit: 8)
        let fresh = try Self.reduced([[0, 1], [2]], count: count, .full, stretch: count)[0]
        // More sums at once than are kept, and a worker that has the memory of others.
        for shares in [[[3, 4], [5], [6]], [[7, 8, 9]]] {
            _ = try Self.reduced(shares, count: count, .full, stretch: count, memory: memory)
        }
        let again = try Self.reduced([[0, 1], [2]], count: count, .full, stretch: count, memory: memory)
        for result in again { #expect(Self.isSame(result, fresh)) }
    }

    @Test(arguments: GradientPrecision.allCases) func anySharingGivesTheSameBits(precision: GradientPrecision) throws {
        let count = GradientParts.partSize * 2 + 12_345
        let alone = try Self.reduced([Array(0..<6)], count: count, precision, stretch: count)[0]
        let sharings: [[[Int]]] = [
            [[0, 1, 2], [3, 4, 5]], [[5], [3, 0], [2, 4, 1]], [[1, 3], [], [0, 2, 4, 5]],
        ]
        for (index, shares) in sharings.enumerated() {
            let results = try Self.reduced(
                shares, count: count, precision, stretch: [1 << 20, 777, 65_536][index], isShuffled: index == 1)
            for result in results { #expect(Self.isSame(result, alone)) }
        }
    }

    /// Against the sum in double precision of the gradients as they were.
    @Test(arguments: zip(GradientPrecision.allCases, [1e-6, 3e-3])) func errorsAreSmall(
        precision: GradientPrecision, bound: Double
    ) throws {
        let count = 20_000
        let result = try Self.reduced([Array(0..<8)], count: count, precision, stretch: count)[0]
        let gradients = (0..<8).map { Self.gradient($0, count: count) }
        for start in stride(from: 0, to: count, by: SlotRounding.block) {
            var (error, norm) = (0.0, 0.0)
            for index in start..<min(start + SlotRounding.block, count) {
                let exact = gradients.reduce(0) { $0 + Double($1[index]) }
                error += (Double(result[index]) - exact) * (Double(result[index]) - exact)
                norm += exact * exact
            }
            #expect(error.squareRoot() <= bound * norm.squareRoot(), "block at \(start)")
        }
    }

    @Test func contributionsAreShort() throws {
        for (precision, bound) in zip(GradientPrecision.allCases, [4.1, 3.0]) {
            var random = CounterRandom(key: 71)
            let count = GradientParts.partSize
            let parts = GradientParts(count: count, precision: precision)
            for slot in 0..<4 {
                let gradient = (0..<count).map { _ in random.normal() * 1e-4 }
                var writer = SlotGradient(of: slot, to: parts)
                try gradient.withUnsafeBufferPointer { try writer.take($0, at: 0) }
            }
            #expect(Double(parts.contribution(part: 0).count) <= bound * Double(count))
            parts.beginReducing(part: 0)
            let size = try parts.reduced(part: 0).count
            #expect(Double(size) <= (precision == .full ? 4 : 2.1) * Double(count))
        }
    }

    @Test func whatIsNoNumberIsNamed() throws {
        let count = GradientParts.partSize + 500
        for (index, value) in [(70_000 - 4_000, Float.nan), (3, .infinity), (65_536, 0x1p30)] {
            var gradient = [Float](repeating: 1, count: count)
            gradient[index] = value
            var writer = SlotGradient(of: 0, to: GradientParts(count: count, precision: .full))
            let error = #expect(throws: TrainingError.self) {
                try gradient.withUnsafeBufferPointer { try writer.take($0, at: 0) }
            }
            #expect(error?.index == index && error?.code == (value == 0x1p30 ? .tooLarge : .notFinite))
        }
    }

    @Test func zerosOfASlotWithoutSamples() throws {
        let count = GradientParts.partSize + 7
        let parts = GradientParts(count: count, precision: .full)
        var writer = SlotGradient(of: 4, to: parts)
        try writer.takeZeros()
        #expect(writer.isWhole && parts.isComplete(part: 1, slots: [4]) && !parts.isComplete(part: 1, slots: [4, 5]))
        for part in 0..<2 { _ = try parts.reduced(part: part) }
        #expect(parts.result().map { Self.isSame($0, [Float](repeating: 0, count: count)) } == true)
    }

    @Test func malformedBytesAreRefused() throws {
        let count = 1000
        let parts = GradientParts(count: count, precision: .full)
        var writer = SlotGradient(of: 0, to: parts)
        try Self.gradient(0, count: count).withUnsafeBufferPointer { try writer.take($0, at: 0) }
        let contribution = parts.contribution(part: 0)
        for length in [0, 5, 16, 17, 18, contribution.count - 1] {
            parts.beginReducing(part: 0)
            #expect(throws: TrainingError.self) { try parts.add(contribution.prefix(length), to: 0) }
        }
        #expect(throws: TrainingError.self) { try parts.install(Data(count: count * 4 - 1), part: 0) }
        // A byte of a header changed is another sum or none.
        for byte in 0..<20 {
            var damaged = Data(contribution)
            damaged[byte] ^= 1
            parts.beginReducing(part: 0)
            if (try? parts.add(damaged, to: 0)) != nil {
                let sum = try ExactSum(decoding: damaged, count: count)
                #expect(sum.encoded() == damaged)
            }
        }
    }
}
