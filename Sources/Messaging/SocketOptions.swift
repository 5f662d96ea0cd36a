import CZeroMQ

/// Every option that sockets are given, in one place; encryption's will join them here.
public struct SocketOptions: Equatable, Sendable {
    /// Frames of more bytes end their connection.
    public var maximumFrameSize = Int64(WireLimits.chunkSize)
    /// A connection that has not finished ZeroMQ's handshake by then is closed.
    public var handshakeTimeoutMilliseconds: Int32 = 5000
    /// Messages that may wait in a connection's queue, each way; at most `maximumFrameSize` bytes each.
    public var queuedMessages: Int32 = 16
    /// How long closing waits for what is queued.
    public var lingerMilliseconds: Int32 = 0
    /// libzmq's own pause between attempts to connect.
    public var reconnectMilliseconds: Int32 = 200
    /// The largest pause, after doubling.
    public var reconnectMaximumMilliseconds: Int32 = 4000
    /// Names resolve to IPv6 addresses where they have any; off, to IPv4 only. A bound `*` serves both when it is on.
    public var ipv6 = true
    /// Sent by libzmq itself so often where nothing else comes, 0 for never; a connection that stays silent for six times as
    /// long is closed. For sockets whose protocol has no heartbeats of its own: what is under way to a host that is gone would
    /// be repeated for a quarter of an hour.
    public var heartbeatMilliseconds: Int32 = 0
    /// A router's: whether a peer that connects again takes the place of its former connection, of whose end may not have been
    /// heard yet; else the new one is ignored.
    public var takesConnectionsOver = false
    /// Connecting side: how a ROUTER addresses this connection.
    public var routingID: RoutingID?

    public init() {}

    func apply(to socket: ZeroMQSocket) throws(ZeroMQError) {
        try socket.set(ZMQ_LINGER, lingerMilliseconds)
        try socket.set(ZMQ_MAXMSGSIZE, maximumFrameSize)
        try socket.set(ZMQ_HANDSHAKE_IVL, handshakeTimeoutMilliseconds)
        try socket.set(ZMQ_SNDHWM, queuedMessages)
        try socket.set(ZMQ_RCVHWM, queuedMessages)
        try socket.set(ZMQ_IPV6, Int32(ipv6 ? 1 : 0))
        try socket.set(ZMQ_TCP_KEEPALIVE, Int32(1))
        try socket.set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(10))
        try socket.set(ZMQ_TCP_KEEPALIVE_INTVL, Int32(5))
        try socket.set(ZMQ_TCP_KEEPALIVE_CNT, Int32(3))
        if heartbeatMilliseconds > 0 {
            try socket.set(ZMQ_HEARTBEAT_IVL, heartbeatMilliseconds)
            try socket.set(ZMQ_HEARTBEAT_TIMEOUT, 6 * heartbeatMilliseconds)
        }
        switch socket.kind {
        case .router:
            if takesConnectionsOver { try socket.set(ZMQ_ROUTER_HANDOVER, Int32(1)) }
            // Without it, a message to a peer that is gone or slow is dropped without a word.
            try socket.set(ZMQ_ROUTER_MANDATORY, Int32(1))
        case .dealer:
            // Queue for connections that stand, not for those that may come.
            try socket.set(ZMQ_IMMEDIATE, Int32(1))
            try socket.set(ZMQ_RECONNECT_IVL, reconnectMilliseconds)
            try socket.set(ZMQ_RECONNECT_IVL_MAX, reconnectMaximumMilliseconds)
            if let routingID { try socket.set(ZMQ_ROUTING_ID, routingID.bytes) }
        case .pair:
            break
        }
    }
}
