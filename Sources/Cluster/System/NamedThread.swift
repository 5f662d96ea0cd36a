import ClusterProtocol
import Foundation

/// A thread of its own with a name, for work that blocks or owns thread-bound objects; never one of the pool's.
final class NamedThread: Sendable {
    private let ended = DispatchSemaphore(value: 0)

    /// `stackSize` is in bytes.
    init(_ name: String, stackSize: Int = 8 << 20, _ body: @escaping @Sendable () -> Void) {
        let ended = ended
        let thread = Thread {
            body()
            ended.signal()
        }
        thread.name = name
        thread.stackSize = stackSize
        thread.start()
    }

    /// False when the thread has not ended in time. To be called once.
    @discardableResult
    func join(timeout: Duration) -> Bool {
        ended.wait(timeout: .now() + timeout.seconds) == .success
    }
}

/// Carries a value that is not Sendable to the one thread that uses it from then on. Safe because whoever makes it
/// takes the value as `sending`, so that nobody else holds it.
struct Handover<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: sending Value) {
        self.value = value
    }
}
