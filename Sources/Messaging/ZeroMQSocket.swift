import CZeroMQ
import Foundation

/// A ZeroMQ socket. It belongs to the thread that made it: libzmq's sockets may not be shared between threads.
public final class ZeroMQSocket {
    /// ZeroMQ's types of sockets, as far as they are used.
    public enum Kind: Sendable {
        /// The side that binds: frames are preceded by the routing id of the connection.
        case router
        /// The side that connects.
        case dealer
        /// Within the process (a monitor's).
        case pair
    }

    /// What became of a message that was to be sent.
    public enum SendOutcome: Equatable, Sendable {
        case sent
        /// The queue is full, or (a dealer) there is no connection yet.
        case wouldBlock
        /// A router has no connection of that routing id.
        case unreachable
    }

    /// What the socket was made as.
    public let kind: Kind
    let pointer: UnsafeMutableRawPointer
    let context: ZeroMQContext
    private let owner = pthread_self()

    /// Makes a socket that is not bound or connected yet; used by the calling thread alone.
    /// - Throws: `ZeroMQError` where libzmq refuses it.
    public init(_ kind: Kind, in context: ZeroMQContext, options: SocketOptions = SocketOptions()) throws(ZeroMQError) {
        let type =
            switch kind {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .pair: ZMQ_PAIR
            }
        guard let pointer = zmq_socket(context.pointer, type) else { throw ZeroMQError.last("zmq_socket") }
        self.kind = kind
        self.pointer = pointer
        self.context = context
        try options.apply(to: self)
    }

    deinit {
        checkOwner()
        zmq_close(pointer)
    }

    func checkOwner() {
        precondition(
            pthread_equal(owner, pthread_self()) != 0, "a ZeroMQ socket was used on a thread that did not make it")
    }

    /// Takes connections at an endpoint.
    public func bind(_ endpoint: String) throws(ZeroMQError) {
        checkOwner()
        guard zmq_bind(pointer, endpoint) == 0 else { throw ZeroMQError.last("zmq_bind", endpoint: endpoint) }
    }

    /// Connects to an endpoint, again and again until it is there.
    public func connect(_ endpoint: String) throws(ZeroMQError) {
        checkOwner()
        guard zmq_connect(pointer, endpoint) == 0 else { throw ZeroMQError.last("zmq_connect", endpoint: endpoint) }
    }

    /// The endpoint last bound, with the port that the system chose.
    public func lastEndpoint() throws(ZeroMQError) -> String {
        checkOwner()
        var buffer = [UInt8](repeating: 0, count: 512)
        var size = buffer.count
        guard zmq_getsockopt(pointer, ZMQ_LAST_ENDPOINT, &buffer, &size) == 0 else {
            throw ZeroMQError.last("zmq_getsockopt")
        }
        return String(decoding: buffer[..<max(0, size - 1)], as: UTF8.self)
    }

    /// Sends the frames as one message, without waiting. Frames are copied into libzmq's own memory: one copy of some
    /// GB/s, where handing over memory would tie its life to a callback on another thread.
    public func send(_ frames: [Data]) throws(ZeroMQError) -> SendOutcome {
        checkOwner()
        for (index, frame) in frames.enumerated() {
            let flags = ZMQ_DONTWAIT | (index + 1 < frames.count ? ZMQ_SNDMORE : 0)
            let sent = frame.withUnsafeBytes { zmq_send(pointer, $0.baseAddress, $0.count, flags) }
            if sent >= 0 { continue }
            switch zmq_errno() {
            // Only the first frame can meet these: libzmq takes the rest of a message that it began.
            case EAGAIN: return .wouldBlock
            case EHOSTUNREACH: return .unreachable
            case EINTR: return .wouldBlock
            default: throw ZeroMQError.last("zmq_send")
            }
        }
        return .sent
    }

    /// The frames of the next message, nil when there is none. Frames beyond `maximumFrames` are read and dropped, and
    /// one empty frame too many is returned, so that the message is recognised as too long.
    public func receive(maximumFrames: Int = 4) throws(ZeroMQError) -> [Data]? {
        try receiveWithAddress(maximumFrames: maximumFrames)?.frames
    }

    /// As `receive`, with the address that the sender's connection comes from, without its port; empty where it has none.
    public func receiveWithAddress(
        maximumFrames: Int = 4
    ) throws(ZeroMQError) -> (frames: [Data], address: String)? {
        checkOwner()
        var frames: [Data] = []
        while true {
            let message = ReceivedFrame()
            let size = message.receive(from: pointer)
            if size < 0 {
                // Frames of one message arrive together, so this can only be the first.
                let number = zmq_errno()
                if number == EAGAIN || number == EINTR { return nil }
                throw ZeroMQError.last("zmq_msg_recv")
            }
            let hasMore = message.hasMore
            if frames.count <= maximumFrames { frames.append(frames.count < maximumFrames ? message.data() : Data()) }
            if !hasMore { return (frames, message.peerAddress) }
        }
    }

    func set(_ option: Int32, _ value: some BitwiseCopyable) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(pointer, option, &value, MemoryLayout.size(ofValue: value)) == 0 else {
            throw ZeroMQError.last("zmq_setsockopt \(option)")
        }
    }

    func set(_ option: Int32, _ value: Data) throws(ZeroMQError) {
        let status = value.withUnsafeBytes { zmq_setsockopt(pointer, option, $0.baseAddress, $0.count) }
        guard status == 0 else { throw ZeroMQError.last("zmq_setsockopt \(option)") }
    }
}

/// A frame on its way in. `zmq_msg_t` must stay at one address, hence the class.
private final class ReceivedFrame {
    private let message = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)

    init() {
        zmq_msg_init(message)
    }

    deinit {
        zmq_msg_close(message)
        message.deallocate()
    }

    func receive(from socket: UnsafeMutableRawPointer) -> Int32 {
        zmq_msg_recv(message, socket, ZMQ_DONTWAIT)
    }

    var hasMore: Bool { zmq_msg_more(message) != 0 }

    var peerAddress: String { zmq_msg_gets(message, "Peer-Address").map { String(cString: $0) } ?? "" }

    /// Small frames are copied; large ones stay in libzmq's memory, which lives as long as the data does.
    func data() -> Data {
        let size = zmq_msg_size(message)
        guard let bytes = zmq_msg_data(message), size > 0 else { return Data() }
        if size < 16 << 10 { return Data(bytes: bytes, count: size) }
        let owner = Unmanaged.passRetained(self)
        // Closing a received message touches only its own reference count, so any thread may be the last to let go.
        nonisolated(unsafe) let release = { owner.release() }
        return Data(bytesNoCopy: bytes, count: size, deallocator: .custom { _, _ in release() })
    }
}
