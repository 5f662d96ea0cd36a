/// Places buffers that are needed at different times in the same memory.
package enum Arena {
    /// A buffer that wants a place.
    package struct Request {
        /// Bytes; empty buffers get a place too.
        package var byteCount: Int
        /// First and last instruction that touches the buffer.
        package var lifetime: ClosedRange<Int>

        /// - Parameter lifetime: in instructions; -1 is before the first.
        package init(byteCount: Int, lifetime: ClosedRange<Int>) {
            self.byteCount = byteCount
            self.lifetime = lifetime
        }
    }

    /// Buffers start on cache lines.
    package static let alignment = Memory.alignment

    /// Offsets in bytes, one per request, and the size of the memory that holds them all. Largest first, each at the lowest
    /// place where nothing alive at the same time lies.
    package static func place(_ requests: [Request]) -> (offsets: [Int], byteCount: Int) {
        var offsets = [Int](repeating: 0, count: requests.count)
        var placed: [Int] = []
        var end = 0
        let order = requests.indices.sorted {
            (requests[$0].byteCount, requests[$1].lifetime.lowerBound, $1)
                > (requests[$1].byteCount, requests[$0].lifetime.lowerBound, $0)
        }
        for index in order {
            let size = aligned(requests[index].byteCount)
            let neighbours =
                placed
                .filter { requests[$0].lifetime.overlaps(requests[index].lifetime) }
                .sorted { offsets[$0] < offsets[$1] }
            var offset = 0
            for neighbour in neighbours {
                if offset + size <= offsets[neighbour] { break }
                offset = max(offset, offsets[neighbour] + aligned(requests[neighbour].byteCount))
            }
            offsets[index] = offset
            end = max(end, offset + size)
            placed.append(index)
        }
        return (offsets, end)
    }

    private static func aligned(_ byteCount: Int) -> Int {
        (max(byteCount, 1) + alignment - 1) / alignment * alignment
    }
}
