import CZeroMQ
import Foundation

/// A failed call of libzmq.
public struct ZeroMQError: Error, Equatable, Sendable {
    /// The C function.
    public var operation: String
    /// The endpoint concerned, where there is one.
    public var endpoint: String?
    /// errno as libzmq reports it.
    public var errorNumber: Int32
    /// libzmq's words for it.
    public var reason: String

    static func last(_ operation: String, endpoint: String? = nil) -> ZeroMQError {
        let number = zmq_errno()
        return ZeroMQError(
            operation: operation, endpoint: endpoint, errorNumber: number, reason: String(cString: zmq_strerror(number))
        )
    }
}

/// The context that sockets live in: its I/O threads move the bytes. Owned by the thread that owns its sockets.
public final class ZeroMQContext {
    let pointer: UnsafeMutableRawPointer

    /// - Throws: `ZeroMQError` where libzmq has no memory or descriptors for it.
    public init() throws(ZeroMQError) {
        guard let pointer = zmq_ctx_new() else { throw ZeroMQError.last("zmq_ctx_new") }
        self.pointer = pointer
        // So that closing a socket never waits for a peer.
        zmq_ctx_set(pointer, ZMQ_BLOCKY, 0)
        // An exchange takes three a peer; the library's own limit is 1023.
        zmq_ctx_set(pointer, ZMQ_MAX_SOCKETS, Int32(4 * WireLimits.participants))
    }

    deinit {
        // Returns once all sockets are closed; they hold on to the context, so they are.
        zmq_ctx_term(pointer)
    }
}
