import Dispatch

extension Array where Element: Sendable {
    /// The results for all elements, in their order, computed by all cores.
    package func concurrentMap<Result: Sendable>(_ transform: @Sendable (Element) -> Result) -> [Result] {
        // Few large parts, as a result is often little work.
        let parts = Swift.min(count, 64)
        guard parts > 1 else { return map(transform) }
        return [Result](unsafeUninitializedCapacity: count) { results, initialized in
            // Safe: each part writes its own elements.
            nonisolated(unsafe) let results = results
            DispatchQueue.concurrentPerform(iterations: parts) { part in
                for index in count * part / parts..<count * (part + 1) / parts {
                    results.initializeElement(at: index, to: transform(self[index]))
                }
            }
            initialized = count
        }
    }
}
