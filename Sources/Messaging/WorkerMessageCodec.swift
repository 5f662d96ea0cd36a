import Foundation
import SwiftProtobuf

extension Envelope where Message == WorkerMessage {
    /// The message as it travels.
    public func encoded() -> Packet {
        var wire = WireFromWorker()
        wire.sequence = sequence
        var bulk: Data?
        switch message {
        case .hello(let hello):
            wire.hello.worker = hello.peer.worker
            wire.hello.incarnation = hello.peer.incarnation
            wire.hello.lanes = UInt32(hello.lanes)
            wire.hello.library = hello.compute.library
            wire.hello.supportedIsas = hello.compute.supportedISAs
            wire.hello.host = hello.host
            wire.hello.process = UInt32(hello.process)
            wire.hello.exchangePort = UInt32(hello.exchangePort)
            wire.hello.machine = hello.compute.machine
        case .heartbeat(let heartbeat):
            wire.heartbeat = WireHeartbeat(heartbeat)
        case .fetch(let artifact, let offset):
            wire.fetch.artifact = artifact.bytes
            wire.fetch.offset = UInt64(offset)
        case .passReady(let pass, let probe):
            wire.passReady.pass = UInt32(pass)
            wire.passReady.probe = probe?.bytes ?? Data()
        case .passFailed(let pass, let failure):
            wire.passFailed.pass = UInt32(pass)
            wire.passFailed.failure = WireFailure(failure)
        case .request(let pass, let credits):
            wire.request.pass = UInt32(pass)
            wire.request.credits = UInt32(credits)
        case .result(let result):
            wire.result.pass = UInt32(result.pass)
            wire.result.shard = UInt32(result.shard)
            wire.result.token = result.token.rawValue
            wire.result.digest = result.digest.bytes
            wire.result.size = UInt64(result.size)
            wire.result.computeNanoseconds = UInt64(result.computeNanoseconds)
            bulk = result.chunk
        case .resultChunk(let token, let offset, let chunk):
            wire.resultChunk.token = token.rawValue
            wire.resultChunk.offset = UInt64(offset)
            bulk = chunk
        case .shardFailed(let pass, let shard, let token, let failure):
            wire.shardFailed.pass = UInt32(pass)
            wire.shardFailed.shard = UInt32(shard)
            wire.shardFailed.token = token.rawValue
            wire.shardFailed.failure = WireFailure(failure)
        case .returned(let tokens):
            wire.returned.tokens = tokens.map(\.rawValue)
        case .goodbye:
            wire.goodbye = WireGoodbye()
        case .reduced(let pass, let attempt, let digest):
            wire.reduced.pass = UInt32(pass)
            wire.reduced.attempt = UInt32(attempt)
            wire.reduced.digest = digest
        case .reductionFailed(let pass, let attempt, let peers, let reason):
            wire.reductionFailed.pass = UInt32(pass)
            wire.reductionFailed.attempt = UInt32(attempt)
            wire.reductionFailed.peers = peers.map { WirePeer($0) }
            wire.reductionFailed.reason = reason
        }
        return wire.packet(bulk: bulk)
    }

    /// - Throws: `WireError` for anything that `encoded` does not make.
    public init(decoding packet: Packet) throws(WireError) {
        let wire = try WireFromWorker(verifying: packet)
        sequence = wire.sequence
        guard let content = wire.content else { throw WireError(.malformed, expected: "a known message") }
        switch content {
        case .hello(let hello):
            message = .hello(
                WorkerMessage.Hello(
                    peer: PeerID(worker: hello.worker, incarnation: hello.incarnation),
                    lanes: try WireField.int(UInt64(hello.lanes), in: 1...4096, "lanes"),
                    compute: ComputeIdentity(
                        library: hello.library, supportedISAs: hello.supportedIsas, machine: hello.machine),
                    host: hello.host, process: Int(hello.process),
                    exchangePort: try WireField.int(UInt64(hello.exchangePort), in: 0...65535, "port")))
        case .heartbeat(let heartbeat):
            message = .heartbeat(HeartbeatMessage(heartbeat))
        case .fetch(let fetch):
            message = .fetch(
                artifact: try WireField.digest(fetch.artifact),
                offset: try WireField.int(fetch.offset, in: 0...WireLimits.artifactSize, "offset"))
        case .passReady(let ready):
            message = .passReady(
                pass: Int(ready.pass), probe: ready.probe.isEmpty ? nil : try WireField.digest(ready.probe))
        case .passFailed(let failed):
            message = .passFailed(pass: Int(failed.pass), ShardFailure(failed.failure))
        case .request(let request):
            message = .request(
                pass: Int(request.pass), credits: try WireField.int(UInt64(request.credits), in: 1...65536, "credits"))
        case .result(let result):
            let chunk = try WireField.chunk(packet)
            let size = try WireField.int(result.size, in: chunk.count...WireLimits.shardSize, "size")
            message = .result(
                WorkerMessage.ResultMessage(
                    pass: Int(result.pass), shard: Int(result.shard), token: LeaseToken(rawValue: result.token),
                    digest: try WireField.digest(result.digest), size: size,
                    computeNanoseconds: try WireField.int(result.computeNanoseconds, in: 0...Int.max, "nanoseconds"),
                    chunk: chunk))
        case .resultChunk(let part):
            message = .resultChunk(
                token: LeaseToken(rawValue: part.token),
                offset: try WireField.int(part.offset, in: 0...WireLimits.shardSize, "offset"),
                chunk: try WireField.chunk(packet))
        case .shardFailed(let failed):
            message = .shardFailed(
                pass: Int(failed.pass), shard: Int(failed.shard), token: LeaseToken(rawValue: failed.token),
                ShardFailure(failed.failure))
        case .returned(let returned):
            message = .returned(tokens: try WireField.tokens(returned.tokens))
        case .goodbye:
            message = .goodbye
        case .reduced(let reduced):
            guard reduced.digest.count <= 1024 else {
                throw WireError(.malformed, expected: "a digest", found: "\(reduced.digest.count) bytes")
            }
            message = .reduced(pass: Int(reduced.pass), attempt: Int(reduced.attempt), digest: reduced.digest)
        case .reductionFailed(let failed):
            message = .reductionFailed(
                pass: Int(failed.pass), attempt: Int(failed.attempt), peers: failed.peers.map { PeerID($0) },
                reason: failed.reason)
        }
        try WireField.expectBulk(message.carriesBulk, in: packet)
    }
}

extension WorkerMessage {
    var carriesBulk: Bool {
        switch self {
        case .result, .resultChunk: true
        default: false
        }
    }
}
