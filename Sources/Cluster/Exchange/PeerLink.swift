import ClusterProtocol
import Foundation
import Messaging

/// The connection to one other worker, for what is sent to it; what it sends comes over its own.
final class PeerLink {
    let peer: PeerID
    /// As the peer knows this side.
    let own: PeerID
    let endpoint: String
    let socket: ZeroMQSocket
    let monitor: SocketMonitor
    /// Made and not yet taken by the socket.
    private var waiting: Packet?
    private(set) var lostAt: Moment?

    /// Messages of a quarter of a MiB that wait in either queue: enough to keep a fast link busy.
    private static let queuedMessages: Int32 = 8

    static func options() -> SocketOptions {
        var options = SocketOptions()
        options.maximumFrameSize = Int64(WireLimits.partSize)
        options.queuedMessages = queuedMessages
        options.heartbeatMilliseconds = 5000
        options.takesConnectionsOver = true
        options.reconnectMilliseconds = 50
        options.reconnectMaximumMilliseconds = 1000
        return options
    }

    init(_ participant: ExchangePlan.Participant, endpoint: String, own: PeerID, context: ZeroMQContext)
        throws(ZeroMQError)
    {
        peer = participant.peer
        self.own = own
        self.endpoint = endpoint
        var options = Self.options()
        options.routingID = RoutingID(peer: own, channel: .control)
        options.ipv6 = endpoint.contains("[")
        socket = try ZeroMQSocket(.dealer, in: context, options: options)
        monitor = try SocketMonitor(socket)
        try socket.connect(endpoint)
    }

    var isBlocked: Bool { waiting != nil }

    /// Sends what waits, if there is anything; true where there is room for more.
    func flush() throws(ZeroMQError) -> Bool {
        guard let packet = waiting else { return true }
        guard try socket.send([packet.control] + (packet.bulk.map { [$0] } ?? [])) == .sent else { return false }
        waiting = nil
        return true
    }

    /// - Precondition: nothing waits.
    func send(_ message: PeerMessage) throws(ZeroMQError) {
        waiting = message.encoded()
        _ = try flush()
    }

    /// Forgets what waits: of an attempt that is over.
    func drop() { waiting = nil }

    func watch(now: Moment) throws(ZeroMQError) {
        while let event = try monitor.next() {
            switch event {
            case .connected: break
            case .disconnected: lostAt = now
            case .handshakeFailed: lostAt = lostAt ?? now
            }
        }
    }
}
