import Execution
import Tensors
import Testing

struct ArenaTests {
    /// Buffers that are alive at the same time never overlap, and the arena is no larger than all of them together.
    @Test(arguments: 0..<200)
    func buffersAliveTogetherDoNotOverlap(_ seed: Int) {
        var random = CounterRandom(key: UInt64(seed))
        let requests = (0..<Int.random(in: 1...40, using: &random)).map { _ in
            let start = Int.random(in: 0...30, using: &random)
            return Arena.Request(
                byteCount: Int.random(in: 0...5000, using: &random),
                lifetime: start...(start + Int.random(in: 0...10, using: &random)))
        }
        expectApart(requests, seed)
    }

    /// So many at once that not each is compared with each.
    @Test func manyBuffersAliveTogetherDoNotOverlap() {
        var random = CounterRandom(key: 5)
        let requests = (0..<4000).map { _ in
            let start = Int.random(in: 0...300, using: &random)
            return Arena.Request(
                byteCount: Int.random(in: 0...5000, using: &random),
                lifetime: start...(start + Int.random(in: 0...200, using: &random)))
        }
        expectApart(requests, 5)
        let alive = (0...500).map { time in
            requests.filter { $0.lifetime.contains(time) }.reduce(0) { $0 + $1.byteCount + Arena.alignment }
        }
        #expect(Arena.place(requests).byteCount < 2 * (alive.max() ?? 0))
    }

    private func expectApart(_ requests: [Arena.Request], _ seed: Int) {
        let (offsets, byteCount) = Arena.place(requests)
        var overlaps = 0
        for (i, a) in requests.enumerated() {
            #expect(offsets[i] % Arena.alignment == 0)
            #expect(offsets[i] + a.byteCount <= byteCount)
            for (j, b) in requests.enumerated() where i < j && a.lifetime.overlaps(b.lifetime) {
                if offsets[i] + a.byteCount > offsets[j], offsets[j] + b.byteCount > offsets[i] { overlaps += 1 }
            }
        }
        #expect(overlaps == 0, "seed \(seed)")
        #expect(byteCount <= requests.reduce(0) { $0 + $1.byteCount + Arena.alignment })
    }

    @Test func buffersAliveAtDifferentTimesShareMemory() {
        let requests = (0..<10).map { Arena.Request(byteCount: 1024, lifetime: $0...($0 + 1)) }
        #expect(Arena.place(requests).byteCount == 2048)
    }
}
