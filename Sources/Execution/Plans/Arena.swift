import Primitives

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

    /// So many alive at once are compared with each other. Beyond that, comparing takes too long for what it saves.
    private static let compared = 1024

    /// Offsets in bytes, one per request, and the size of the memory that holds them all.
    package static func place(_ requests: [Request]) -> (offsets: [Int], byteCount: Int) {
        mostAliveAtOnce(requests) > compared ? placeInOrderOfTime(requests) : placeInOrderOfSize(requests)
    }

    /// Largest first, each at the lowest place where nothing alive at the same time lies.
    private static func placeInOrderOfSize(_ requests: [Request]) -> (offsets: [Int], byteCount: Int) {
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

    /// Each at the lowest place that is free when its life begins.
    private static func placeInOrderOfTime(_ requests: [Request]) -> (offsets: [Int], byteCount: Int) {
        var offsets = [Int](repeating: 0, count: requests.count)
        // Gaps below the end, in the order of their offsets; no two touch.
        var gaps: [Range<Int>] = []
        var end = 0
        for event in events(requests) {
            let size = aligned(requests[event.request].byteCount)
            if event.isBirth {
                if let place = gaps.firstIndex(where: { $0.count >= size }) {
                    let gap = gaps[place]
                    offsets[event.request] = gap.lowerBound
                    if gap.count == size {
                        gaps.remove(at: place)
                    } else {
                        gaps[place] = gap.lowerBound + size..<gap.upperBound
                    }
                } else {
                    let isOpen = gaps.last?.upperBound == end
                    offsets[event.request] = isOpen ? gaps.removeLast().lowerBound : end
                    end = offsets[event.request] + size
                }
            } else {
                let start = offsets[event.request]
                insert(start..<start + size, into: &gaps)
            }
        }
        return (offsets, end)
    }

    private static func insert(_ gap: Range<Int>, into gaps: inout [Range<Int>]) {
        var (low, high) = (0, gaps.count)
        while low < high {
            let middle = (low + high) / 2
            if gaps[middle].lowerBound < gap.lowerBound { low = middle + 1 } else { high = middle }
        }
        let before = low > 0 && gaps[low - 1].upperBound == gap.lowerBound
        let behind = low < gaps.count && gaps[low].lowerBound == gap.upperBound
        let joined =
            (before ? gaps[low - 1].lowerBound : gap.lowerBound)..<(behind ? gaps[low].upperBound : gap.upperBound)
        gaps.replaceSubrange((before ? low - 1 : low)..<(behind ? low + 1 : low), with: [joined])
    }

    private static func mostAliveAtOnce(_ requests: [Request]) -> Int {
        var (alive, most) = (0, 0)
        for event in events(requests) {
            alive += event.isBirth ? 1 : -1
            most = max(most, alive)
        }
        return most
    }

    /// Births and deaths in the order of time; what dies makes place after the births of the instruction that it dies in.
    private static func events(_ requests: [Request]) -> [(request: Int, isBirth: Bool)] {
        let births = requests.indices.map { (time: requests[$0].lifetime.lowerBound, request: $0, isBirth: true) }
        let deaths = requests.indices.map { (time: requests[$0].lifetime.upperBound, request: $0, isBirth: false) }
        return (births + deaths).sorted {
            ($0.time, $0.isBirth ? 0 : 1, $0.request) < ($1.time, $1.isBirth ? 0 : 1, $1.request)
        }.map { ($0.request, $0.isBirth) }
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
