import Passes
import Support
import Tensors
import Testing

@Suite struct BadSampleNamesTests {
    private func names(_ keys: [String]) -> BadSampleNames {
        var names = BadSampleNames()
        for key in keys { names.add(key: key, fault: "corruptImage") }
        return names
    }

    /// However samples are split over shards and in whatever order these come.
    @Test func theFirstAreKept() {
        let keys = (0..<40).map { "k\($0 % 20 + 10)" }
        var random = CounterRandom(key: 5, 0)
        let expected = names(keys)
        #expect(expected.names == (10...14).map { "k\($0) (corrupt image)" })
        for _ in 0..<20 {
            let parts = keys.shuffled(using: &random).chunks(of: 7).map(names)
            var sum = BadSampleNames()
            for part in parts { sum.merge(part) }
            #expect(sum == expected)
        }
        #expect(expected.sentence(of: 40)?.hasSuffix("k14 (corrupt image), ...") == true)
        #expect(expected.areSound(of: 5) && !expected.areSound(of: 4))
    }

    @Test func theyComeBackFromBytes() throws {
        for keys in [[], ["a"], ["ä", String(repeating: "long/", count: 100), "z"]] {
            let names = names(keys)
            var writer = ByteWriter()
            names.append(to: &writer)
            var reader = ByteReader(writer.data, record: "names")
            #expect(try BadSampleNames(from: &reader) == names)
            #expect(reader.remaining == 0 && names.areSound(of: keys.count))
        }
        var many = ByteWriter()
        many.append(UInt32(1 << 30))
        var reader = ByteReader(many.data, record: "names")
        #expect(throws: ByteCodingError.self) { try BadSampleNames(from: &reader) }
    }
}

extension Array {
    fileprivate func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
