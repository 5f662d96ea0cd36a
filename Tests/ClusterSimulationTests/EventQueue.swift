import ClusterProtocol

/// What happens when, in virtual time; what happens at the same moment keeps the order in which it was scheduled.
struct EventQueue {
    private struct Entry {
        let time: Moment
        let number: Int
        let body: () -> Void

        func isBefore(_ other: Entry) -> Bool {
            time != other.time ? time < other.time : number < other.number
        }
    }

    /// A binary heap.
    private var entries: [Entry] = []
    private var scheduled = 0

    mutating func schedule(at time: Moment, _ body: @escaping () -> Void) {
        scheduled += 1
        entries.append(Entry(time: time, number: scheduled, body: body))
        var child = entries.count - 1
        while child > 0, entries[child].isBefore(entries[(child - 1) / 2]) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (time: Moment, body: () -> Void)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < entries.count && entries[child].isBefore(entries[least]) {
                    least = child
                }
                if least == parent { break }
                entries.swapAt(parent, least)
                parent = least
            }
        }
        return (first.time, first.body)
    }
}
