import ClusterProtocol
import Foundation
import Messaging

/// The two connections of one incarnation.
final class WorkerLink {
    let incarnation: UInt64
    let control: ZeroMQSocket
    let heartbeat: ZeroMQSocket
    private let controlMonitor: SocketMonitor
    private let heartbeatMonitor: SocketMonitor
    private var outbox: [Packet] = []

    init(_ peer: PeerID, endpoint: String, context: ZeroMQContext) throws(ZeroMQError) {
        incarnation = peer.incarnation
        var options = SocketOptions()
        // So that a goodbye still leaves.
        options.lingerMilliseconds = 500
        // A name may stand for addresses of both families where the coordinator is bound to one, and libzmq takes the
        // first: incarnations take turns.
        options.ipv6 = endpoint.contains("[") || peer.incarnation.isMultiple(of: 2)
        options.routingID = RoutingID(peer: peer, channel: .control)
        control = try ZeroMQSocket(.dealer, in: context, options: options)
        controlMonitor = try SocketMonitor(control)
        options.routingID = RoutingID(peer: peer, channel: .heartbeat)
        options.lingerMilliseconds = 0
        heartbeat = try ZeroMQSocket(.dealer, in: context, options: options)
        heartbeatMonitor = try SocketMonitor(heartbeat)
        try control.connect(endpoint)
        try heartbeat.connect(endpoint)
    }

    var sockets: [ZeroMQSocket] { [control, heartbeat, controlMonitor.socket, heartbeatMonitor.socket] }

    var hasWaiting: Bool { !outbox.isEmpty }

    func send(_ packet: Packet, on channel: Channel) throws(ZeroMQError) {
        switch channel {
        case .control: outbox.append(packet)
        // A heartbeat that cannot leave now is worth nothing later.
        case .heartbeat: _ = try heartbeat.send([packet.control])
        }
    }

    func flush() throws(ZeroMQError) {
        var sent = 0
        defer { outbox.removeFirst(sent) }
        for packet in outbox {
            guard try control.send([packet.control] + (packet.bulk.map { [$0] } ?? [])) == .sent else { return }
            sent += 1
        }
    }

    /// What happened to the connections since the last call.
    func connectionEvents() throws(ZeroMQError) -> [WorkerState.Event] {
        var events: [WorkerState.Event] = []
        while let event = try controlMonitor.next() {
            switch event {
            case .connected: events.append(.connected(incarnation: incarnation))
            case .disconnected: events.append(.disconnected(incarnation: incarnation))
            case .handshakeFailed: break
            }
        }
        while let event = try heartbeatMonitor.next() {
            if event == .disconnected { events.append(.disconnected(incarnation: incarnation)) }
        }
        return events
    }
}
