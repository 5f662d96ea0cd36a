import Foundation
import SwiftProtobuf

extension Envelope where Message == CoordinatorMessage {
    /// The message as it travels.
    public func encoded() -> Packet {
        var wire = WireFromCoordinator()
        wire.sequence = sequence
        var bulk: Data?
        switch message {
        case .welcome(let welcome):
            wire.welcome.job = welcome.job
            wire.welcome.epoch = welcome.epoch
            wire.welcome.isa = welcome.isa
            wire.welcome.heartbeatIntervalMilliseconds = UInt32(welcome.heartbeatIntervalMilliseconds)
            wire.welcome.heartbeatTimeoutMilliseconds = UInt32(welcome.heartbeatTimeoutMilliseconds)
        case .refused(let refusal):
            wire.refused.code = refusal.code.rawValue
            wire.refused.expected = refusal.expected
            wire.refused.found = refusal.found
        case .rejoin:
            wire.rejoin = WireRejoin()
        case .heartbeat(let heartbeat):
            wire.heartbeat = WireHeartbeat(heartbeat)
        case .passBegin(let begin):
            wire.passBegin.pass = UInt32(begin.pass)
            wire.passBegin.name = begin.name
            wire.passBegin.descriptor = WireArtifact(begin.descriptor)
            wire.passBegin.artifacts = begin.artifacts.map { WireArtifact($0) }
            wire.passBegin.isReduced = begin.isReduced
        case .artifactChunk(let artifact, let offset, let chunk):
            wire.artifactChunk.artifact = artifact.bytes
            wire.artifactChunk.offset = UInt64(offset)
            bulk = chunk
        case .lease(let lease):
            wire.lease.pass = UInt32(lease.pass)
            wire.lease.shard = UInt32(lease.shard)
            wire.lease.token = lease.token.rawValue
            wire.lease.sampleCount = UInt32(lease.sampleCount)
            wire.lease.size = UInt64(lease.size)
            bulk = lease.chunk
        case .leaseChunk(let token, let offset, let chunk):
            wire.leaseChunk.token = token.rawValue
            wire.leaseChunk.offset = UInt64(offset)
            bulk = chunk
        case .ack(let tokens):
            wire.ack.tokens = tokens.map(\.rawValue)
        case .revoke(let tokens):
            wire.revoke.tokens = tokens.map(\.rawValue)
        case .shutdown(let reason, let detail):
            wire.shutdown.reason =
                switch reason {
                case .finished: .finished
                case .jobFailed: .jobFailed
                case .expelled: .expelled
                }
            wire.shutdown.detail = detail
        case .exchange(let plan):
            wire.exchange.pass = UInt32(plan.pass)
            wire.exchange.attempt = UInt32(plan.attempt)
            wire.exchange.roster = plan.roster.map { WireParticipant($0) }
        }
        return wire.packet(bulk: bulk)
    }

    /// - Throws: `WireError` for anything that `encoded` does not make.
    public init(decoding packet: Packet) throws(WireError) {
        let wire = try WireFromCoordinator(verifying: packet)
        sequence = wire.sequence
        guard let content = wire.content else { throw WireError(.malformed, expected: "a known message") }
        switch content {
        case .welcome(let welcome):
            message = .welcome(try CoordinatorMessage.Welcome(welcome))
        case .refused(let refused):
            guard let code = Refusal.Code(rawValue: refused.code) else {
                throw WireError(.malformed, expected: "a refusal's code", found: refused.code)
            }
            message = .refused(Refusal(code, expected: refused.expected, found: refused.found))
        case .rejoin:
            message = .rejoin
        case .heartbeat(let heartbeat):
            message = .heartbeat(HeartbeatMessage(heartbeat))
        case .passBegin(let begin):
            var artifacts: [ArtifactReference] = []
            for artifact in begin.artifacts { artifacts.append(try ArtifactReference(artifact)) }
            message = .passBegin(
                CoordinatorMessage.PassBegin(
                    pass: Int(begin.pass), name: begin.name, descriptor: try ArtifactReference(begin.descriptor),
                    artifacts: artifacts, isReduced: begin.isReduced))
        case .artifactChunk(let part):
            message = .artifactChunk(
                artifact: try WireField.digest(part.artifact),
                offset: try WireField.int(part.offset, in: 0...WireLimits.artifactSize, "offset"),
                chunk: try WireField.chunk(packet))
        case .lease(let lease):
            let chunk = try WireField.chunk(packet)
            message = .lease(
                CoordinatorMessage.LeaseMessage(
                    pass: Int(lease.pass), shard: Int(lease.shard), token: LeaseToken(rawValue: lease.token),
                    sampleCount: Int(lease.sampleCount),
                    size: try WireField.int(lease.size, in: chunk.count...WireLimits.shardSize, "size"), chunk: chunk))
        case .leaseChunk(let part):
            message = .leaseChunk(
                token: LeaseToken(rawValue: part.token),
                offset: try WireField.int(part.offset, in: 0...WireLimits.shardSize, "offset"),
                chunk: try WireField.chunk(packet))
        case .ack(let ack):
            message = .ack(tokens: try WireField.tokens(ack.tokens))
        case .revoke(let revoke):
            message = .revoke(tokens: try WireField.tokens(revoke.tokens))
        case .shutdown(let shutdown):
            message = .shutdown(
                reason: try CoordinatorMessage.ShutdownReason(shutdown.reason), detail: shutdown.detail)
        case .exchange(let exchange):
            guard (1...WireLimits.participants).contains(exchange.roster.count) else {
                throw WireError(.malformed, expected: "participants", found: "\(exchange.roster.count)")
            }
            message = .exchange(
                ExchangePlan(
                    pass: Int(exchange.pass), attempt: Int(exchange.attempt),
                    roster: exchange.roster.map { ExchangePlan.Participant($0) }))
        }
        try WireField.expectBulk(message.carriesBulk, in: packet)
    }
}

extension CoordinatorMessage {
    var carriesBulk: Bool {
        switch self {
        case .artifactChunk, .lease, .leaseChunk: true
        default: false
        }
    }
}

extension WireParticipant {
    fileprivate init(_ participant: ExchangePlan.Participant) {
        self.init()
        peer = WirePeer(participant.peer)
        endpoint = participant.endpoint
        shards = participant.shards.map { UInt32($0) }
    }
}

extension ExchangePlan.Participant {
    fileprivate init(_ wire: WireParticipant) {
        self.init(peer: PeerID(wire.peer), endpoint: wire.endpoint, shards: wire.shards.map { Int($0) })
    }
}

extension WirePeer {
    init(_ peer: PeerID) {
        self.init()
        worker = peer.worker
        incarnation = peer.incarnation
    }
}

extension PeerID {
    init(_ wire: WirePeer) {
        self.init(worker: wire.worker, incarnation: wire.incarnation)
    }
}

extension CoordinatorMessage.Welcome {
    fileprivate init(_ wire: WireWelcome) throws(WireError) {
        let milliseconds = 1...3_600_000
        self.init(
            job: wire.job, epoch: wire.epoch, isa: wire.isa,
            heartbeatIntervalMilliseconds: try WireField.int(
                UInt64(wire.heartbeatIntervalMilliseconds), in: milliseconds, "interval"),
            heartbeatTimeoutMilliseconds: try WireField.int(
                UInt64(wire.heartbeatTimeoutMilliseconds), in: milliseconds, "timeout"))
    }
}

extension CoordinatorMessage.ShutdownReason {
    fileprivate init(_ wire: WireShutdown.Reason) throws(WireError) {
        switch wire {
        case .finished: self = .finished
        case .jobFailed: self = .jobFailed
        case .expelled: self = .expelled
        case .UNRECOGNIZED(let value): throw WireError(.malformed, expected: "a reason", found: "\(value)")
        }
    }
}
