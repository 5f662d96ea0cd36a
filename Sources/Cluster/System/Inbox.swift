import ClusterProtocol
import Foundation
import Messaging
import Synchronization

/// What other threads tell a loop that waits in `Waiting.poll`. Bounded by the protocol: shards by credits and
/// read-ahead, results by leases.
final class Inbox<Element: Sendable>: Sendable {
    let wakeUp = WakeUp()
    private let elements = Mutex<[Element]>([])

    func put(_ element: Element) {
        elements.withLock { $0.append(element) }
        wakeUp.signal()
    }

    func takeAll() -> [Element] {
        wakeUp.clear()
        return elements.withLock { elements in
            defer { elements = [] }
            return elements
        }
    }
}

/// What a loop tells a thread that waits for nothing else. Bounded as an `Inbox` is.
final class Mailbox<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    private let arrived = DispatchSemaphore(value: 0)

    func put(_ element: Element) {
        let wasEmpty = elements.withLock { elements in
            defer { elements.append(element) }
            return elements.isEmpty
        }
        // At most one signal is outstanding: the next comes only after everything was taken.
        if wasEmpty { arrived.signal() }
    }

    /// Waits until there is something or the time is over; empty then, and now and then without reason.
    func takeAll(timeout: Duration) -> [Element] {
        _ = arrived.wait(timeout: .now() + max(0, timeout.seconds))
        return elements.withLock { elements in
            defer { elements = [] }
            return elements
        }
    }
}
