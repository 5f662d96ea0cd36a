import CZeroMQ
import Foundation

/// Tells what happens to a socket's connections beneath its messages.
public final class SocketMonitor {
    /// What happens to a connection.
    public enum Event: Equatable, Sendable {
        case connected
        case disconnected
        /// What spoke was not ZeroMQ, or not in time.
        case handshakeFailed(endpoint: String)
    }

    /// Where the events arrive.
    public let socket: ZeroMQSocket
    private let monitored: ZeroMQSocket

    /// Watches a socket from here on; on the thread that owns it.
    /// - Throws: `ZeroMQError` where libzmq refuses it.
    public init(_ monitored: ZeroMQSocket) throws(ZeroMQError) {
        monitored.checkOwner()
        let endpoint = "inproc://monitor-\(UInt(bitPattern: monitored.pointer))"
        let events =
            ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        guard zmq_socket_monitor(monitored.pointer, endpoint, events) == 0 else {
            throw ZeroMQError.last("zmq_socket_monitor")
        }
        self.monitored = monitored
        socket = try ZeroMQSocket(.pair, in: monitored.context)
        try socket.connect(endpoint)
    }

    deinit {
        zmq_socket_monitor(monitored.pointer, nil, 0)
    }

    /// The next event, nil when there is none.
    public func next() throws(ZeroMQError) -> Event? {
        while let frames = try socket.receive() {
            // First frame: event number (16 bits) and value (32 bits); second: the endpoint.
            guard frames.count == 2, frames[0].count == 6 else { continue }
            let number = Int32(frames[0][0]) | Int32(frames[0][1]) << 8
            switch number {
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .connected
            case ZMQ_EVENT_DISCONNECTED: return .disconnected
            default: return .handshakeFailed(endpoint: String(decoding: frames[1], as: UTF8.self))
            }
        }
        return nil
    }
}
