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
        let (offsets, byteCount) = Arena.place(requests)
        for (i, a) in requests.enumerated() {
            #expect(offsets[i] % Arena.alignment == 0)
            #expect(offsets[i] + a.byteCount <= byteCount)
            for (j, b) in requests.enumerated() where i < j && a.lifetime.overlaps(b.lifetime) {
                #expect(
                    offsets[i] + a.byteCount <= offsets[j] || offsets[j] + b.byteCount <= offsets[i],
                    "seed \(seed): buffers \(i) and \(j) overlap")
            }
        }
        #expect(byteCount <= requests.reduce(0) { $0 + $1.byteCount + Arena.alignment })
    }

    @Test func buffersAliveAtDifferentTimesShareMemory() {
        let requests = (0..<10).map { Arena.Request(byteCount: 1024, lifetime: $0...($0 + 1)) }
        #expect(Arena.place(requests).byteCount == 2048)
    }
}
