import CZeroMQ
import Foundation
import Glibc

/// Lets any thread wake the one that waits in `Waiting.poll`: an eventfd.
public final class WakeUp: Sendable {
    let descriptor: Int32

    /// Opens a descriptor. A process without any left ends here.
    public init() {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        precondition(descriptor >= 0, "no eventfd: the process has no descriptors left")
    }

    deinit {
        close(descriptor)
    }

    /// Wakes whoever waits; any number of signals is as good as one.
    public func signal() {
        var one: UInt64 = 1
        // Fails only when the counter is full, and then the waiting thread wakes anyway.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Called by the thread that was woken, before it looks at what it was woken for.
    public func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}

/// Waits for sockets and signals at once.
public enum Waiting {
    /// Waits until a socket has a message, the wake-up is signalled or the time is over. Interrupted waits end early.
    /// - Parameter full: sockets that are also waited for to take another message.
    public static func poll(
        _ sockets: [ZeroMQSocket], full: [ZeroMQSocket] = [], _ wakeUp: WakeUp, timeoutMilliseconds: Int
    ) throws(ZeroMQError) {
        var items = [(sockets, ZMQ_POLLIN), (full, ZMQ_POLLOUT)].flatMap { sockets, events in
            sockets.map { socket in
                socket.checkOwner()
                return zmq_pollitem_t(socket: socket.pointer, fd: 0, events: Int16(events), revents: 0)
            }
        }
        items.append(zmq_pollitem_t(socket: nil, fd: wakeUp.descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
        if zmq_poll(&items, Int32(items.count), timeoutMilliseconds) < 0, zmq_errno() != EINTR {
            throw ZeroMQError.last("zmq_poll")
        }
    }
}
