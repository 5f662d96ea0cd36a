import Foundation
import Quantization
import Support
import Tensors
import Testing

@Suite struct StatisticsSetTests {
    static func set(_ seed: UInt64) -> StatisticsSet {
        var random = CounterRandom(key: 31, seed)
        var set = StatisticsSet()
        for index in 0..<random.next() % 6 {
            let values = ObserverTests.values(Int(random.next() % 300), &random)
            set.tensors["tensor/\(index)" + (index == 2 ? "é" : "")] = statistics(values)
        }
        return set
    }

    @Test func decodingGivesWhatWasEncoded() throws {
        for seed in UInt64(0)..<50 {
            let set = Self.set(seed)
            #expect(try StatisticsSet(decoding: set.encoded()) == set, "seed \(seed)")
        }
    }

    @Test func mergingIsTensorByTensor() {
        var merged = StatisticsSet(["a": statistics([1, 2])])
        merged.merge(StatisticsSet(["a": statistics([-4, 0]), "b": statistics([5])]))
        #expect(merged == StatisticsSet(["a": statistics([1, 2, -4, 0]), "b": statistics([5])]))
    }

    /// Whatever bytes come in, decoding throws or gives a set that is encoded as exactly these bytes and can be merged.
    @Test func decodingNeverTrapsAndAcceptsOneFormOnly() throws {
        var accepted = 0
        let sets = (UInt64(0)..<20).map(Self.set)
        for seed in UInt64(0)..<2000 {
            let original = sets[Int(seed) % sets.count]
            var random = CounterRandom(key: 77, seed)
            var bytes = [UInt8](original.encoded())
            switch random.next() % 3 {
            case 0: bytes.removeLast(Int(random.next() % UInt64(bytes.count)) + 1)
            case 1: bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 << (random.next() % 8))
            default:
                for _ in 0..<3 {
                    bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            guard var set = try? StatisticsSet(decoding: Data(bytes)) else { continue }
            accepted += 1
            #expect([UInt8](set.encoded()) == bytes, "seed \(seed)")
            set.merge(set)
            set.merge(original)
        }
        #expect(accepted < 1000)
    }

    @Test func otherVersionsAndTrailingBytesAreRefused() throws {
        let bytes = StatisticsSet(["a": statistics([1])]).encoded()
        #expect(throws: ByteCodingError.self) { try StatisticsSet(decoding: bytes + [0]) }
        #expect(throws: ByteCodingError.self) { try StatisticsSet(decoding: Data()) }
        var other = [UInt8](bytes)
        other[4] = 2
        let error = #expect(throws: ByteCodingError.self) { try StatisticsSet(decoding: Data(other)) }
        #expect(error?.code == .unsupportedVersion && error?.found == "2")
    }

    @Test func aRecordIsCompact() {
        var random = CounterRandom(key: 8)
        let record = StatisticsSet(["x": statistics((0..<100_000).map { _ in max(random.normal(), 0) })]).encoded()
        #expect(record.count < 4096)
    }
}
