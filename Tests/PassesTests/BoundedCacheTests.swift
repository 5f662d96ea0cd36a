import Passes
import Testing

@Suite struct BoundedCacheTests {
    @Test func thoseUsedLastAreKept() {
        var cache = BoundedCache<String, Int>(least: 1, most: 3, byteLimit: 100)
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] { #expect(cache.insert(key, value, byteCount: 10).isEmpty) }
        #expect(cache.value("a") == 1)
        #expect(cache.insert("d", 4, byteCount: 10) == [2])
        #expect(cache.value("b") == nil && cache.value("a") == 1 && cache.count == 3)
    }

    /// More than the least only as long as there is memory.
    @Test func memoryBoundsThem() {
        var cache = BoundedCache<Int, Int>(least: 2, most: 10, byteLimit: 100)
        for key in 0..<4 { #expect(cache.insert(key, key, byteCount: 25).isEmpty) }
        #expect(cache.byteCount == 100 && cache.makeRoom().isEmpty)
        #expect(cache.insert(4, 4, byteCount: 60) == [0, 1, 2])
        #expect(cache.count == 2 && cache.byteCount == 85)
        #expect(cache.insert(5, 5, byteCount: 1000) == [3])
        // Two are kept however large they are, but not three.
        #expect(cache.count == 2 && cache.value(5) == 5)
        #expect(cache.makeRoom() == [4])
        #expect(cache.count == 1)
    }
}
