/// Values by key, of which those used last are kept: a few whatever their size, more as long as all take little enough memory.
package struct BoundedCache<Key: Hashable, Value> {
    private struct Entry {
        let value: Value
        let byteCount: Int
        var used: Int
    }

    /// Values that are kept whatever they take, and that are kept at most.
    private let least, most: Int
    /// Bytes that more than the least may take.
    private let byteLimit: Int
    private var entries: [Key: Entry] = [:]
    /// Of the values that are kept.
    package private(set) var byteCount = 0
    private var clock = 0

    /// - Parameters:
    ///   - least: values kept however large they are.
    ///   - most: at least as many.
    package init(least: Int, most: Int, byteLimit: Int) {
        (self.least, self.most, self.byteLimit) = (least, most, byteLimit)
    }

    /// Values that are kept.
    package var count: Int { entries.count }

    /// A value that is kept, which is the one used last then.
    package mutating func value(_ key: Key) -> Value? {
        guard let entry = entries[key] else { return nil }
        clock += 1
        entries[key]?.used = clock
        return entry.value
    }

    /// Drops those not used for longest, so that there is room for one more.
    /// - Returns: what was dropped.
    @discardableResult
    package mutating func makeRoom() -> [Value] {
        var dropped: [Value] = []
        while entries.count >= most || (entries.count >= least && byteCount > byteLimit) {
            guard let value = dropOldest() else { break }
            dropped.append(value)
        }
        return dropped
    }

    /// Keeps a value, and drops others that are too many beside it.
    /// - Returns: what was dropped.
    @discardableResult
    package mutating func insert(_ key: Key, _ value: Value, byteCount: Int) -> [Value] {
        clock += 1
        if let former = entries.removeValue(forKey: key) { self.byteCount -= former.byteCount }
        entries[key] = Entry(value: value, byteCount: byteCount, used: clock)
        self.byteCount += byteCount
        var dropped: [Value] = []
        while entries.count > most || (entries.count > least && self.byteCount > byteLimit) {
            guard let value = dropOldest() else { break }
            dropped.append(value)
        }
        return dropped
    }

    /// Drops all.
    package mutating func removeAll() {
        entries = [:]
        byteCount = 0
    }

    private mutating func dropOldest() -> Value? {
        guard let oldest = entries.min(by: { $0.value.used < $1.value.used }) else { return nil }
        entries[oldest.key] = nil
        byteCount -= oldest.value.byteCount
        return oldest.value.value
    }
}
