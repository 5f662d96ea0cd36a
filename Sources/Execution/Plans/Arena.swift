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
        var placed = PlacedRequests(requests)
        var end = 0
        let order = requests.indices.sorted {
            (requests[$0].byteCount, requests[$1].lifetime.lowerBound, $1)
                > (requests[$1].byteCount, requests[$0].lifetime.lowerBound, $0)
        }
        for index in order {
            let size = aligned(requests[index].byteCount)
            let neighbours = placed.overlapping(index).sorted { offsets[$0] < offsets[$1] }
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

/// Requests that have a place, by the stretches of time that they are alive in: most live for a few instructions of many
/// thousands, and are no neighbours of others.
private struct PlacedRequests {
    private static let stretches = 1024

    private let requests: [Arena.Request]
    private let first: Int
    private let length: Int
    private var byStretch: [[Int]]
    /// The request that last looked at each, so that one in several stretches is found once.
    private var lookedAtBy: [Int]

    init(_ requests: [Arena.Request]) {
        self.requests = requests
        first = requests.map(\.lifetime.lowerBound).min() ?? 0
        let last = requests.map(\.lifetime.upperBound).max() ?? 0
        length = (last - first) / Self.stretches + 1
        byStretch = [[Int]](repeating: [], count: (last - first) / length + 1)
        lookedAtBy = [Int](repeating: -1, count: requests.count)
    }

    private func stretches(of index: Int) -> ClosedRange<Int> {
        let lifetime = requests[index].lifetime
        return (lifetime.lowerBound - first) / length...(lifetime.upperBound - first) / length
    }

    mutating func append(_ index: Int) {
        for stretch in stretches(of: index) { byStretch[stretch].append(index) }
    }

    mutating func overlapping(_ index: Int) -> [Int] {
        var found: [Int] = []
        for stretch in stretches(of: index) {
            for other in byStretch[stretch] where lookedAtBy[other] != index {
                lookedAtBy[other] = index
                if requests[other].lifetime.overlaps(requests[index].lifetime) { found.append(other) }
            }
        }
        return found
    }
}
