import Foundation
import Logging
import Messaging

/// A worker's session, as the coordinator sees it.
struct WorkerRecord {
    let hello: WorkerMessage.Hello
    var lastHeard: Moment
    /// Control messages of this session: the last received, the last sent.
    var received: UInt64 = 1
    var sent: UInt64 = 0
    /// The heartbeat connection stands, so that a failure to send on it means something.
    var hasHeartbeat = false
    /// When the control connection last moved, or was known to have nothing under way.
    var lastMoved: Moment
    /// When the set-up of the current pass was asked for; nil once it is done.
    var setUpSince: Moment?
    /// When the last lease was answered; the session's beginning before the first.
    var lastAnswer: Moment
    /// Leases have expired and nothing has been answered since; from this time on, the lanes are taken to hang.
    var hungFrom: Moment?
    /// Leases that the worker has asked for and not yet got.
    var credits = 0
    /// Held by the worker, also where they have expired; in the order of granting.
    var leases: [LeaseToken] = []
    /// The result whose chunks are arriving.
    var partial: PartialResult?

    init(hello: WorkerMessage.Hello, now: Moment) {
        self.hello = hello
        lastHeard = now
        lastMoved = now
        lastAnswer = now
    }
}

struct PartialResult {
    var message: WorkerMessage.ResultMessage
    var data: Data
}

/// Why a session ends.
enum DropReason: String {
    case unreachable, silent, stalled, replaced, goodbye, expelled
    case lostMessages = "lost messages"
    case violation = "protocol violation"
    case setUpTimeout = "set-up timeout"
    case failedShard = "failed shard"
    case hung
}

extension CoordinatorState {
    mutating func receive(_ envelope: Envelope<WorkerMessage>, from source: RoutingID, now: Moment) {
        let peer = source.peer
        if case .hello(let hello) = envelope.message {
            join(hello, from: source, sequence: envelope.sequence, now: now)
            return
        }
        guard let record = records[peer] else {
            // Also answers a goodbye that was repeated; the worker is gone then and the answer unreachable.
            sendUncounted(.rejoin, to: source)
            return
        }
        records[peer]?.lastHeard = now
        if source.channel == .heartbeat {
            guard case .heartbeat(let counts) = envelope.message else {
                drop(peer, .violation, now: now)
                return
            }
            records[peer]?.hasHeartbeat = true
            if counts.sent <= record.received { records[peer]?.lastMoved = now }
            return
        }
        // Over a connection that stands, messages come complete and in order. Anything else means that it did not stand.
        if envelope.sequence <= record.received { return }
        guard envelope.sequence == record.received + 1 else {
            drop(peer, .lostMessages, now: now)
            return
        }
        records[peer]?.received = envelope.sequence
        records[peer]?.lastMoved = now
        handle(envelope.message, from: peer, now: now)
    }

    private mutating func handle(_ message: WorkerMessage, from peer: PeerID, now: Moment) {
        if records[peer]?.partial != nil {
            // A result's chunks follow it without anything in between.
            guard case .resultChunk(let token, let offset, let chunk) = message else {
                drop(peer, .violation, now: now)
                return
            }
            receiveChunk(token, offset, chunk, from: peer, now: now)
            return
        }
        switch message {
        case .hello: break
        case .heartbeat, .resultChunk: drop(peer, .violation, now: now)
        case .fetch(let artifact, let offset): sendChunk(of: artifact, offset, to: peer, now: now)
        case .passReady(let index):
            if pass?.index == index { records[peer]?.setUpSince = nil }
        case .passFailed(let index, let failure): passFailed(index, failure, on: peer, now: now)
        case .request(let index, let credits):
            guard pass?.index == index, let held = records[peer]?.credits else { return }
            records[peer]?.credits = min(held + credits, 65536)
        case .result(let result): receiveResult(result, from: peer, now: now)
        case .shardFailed(let index, let shard, let token, let failure):
            shardFailed(index, shard, token, failure, on: peer, now: now)
        case .returned(let tokens): takeBack(tokens, from: peer, now: now)
        case .goodbye: drop(peer, .goodbye, now: now)
        case .reduced(let index, let attempt, let digest): reduced(index, attempt: attempt, digest: digest, on: peer)
        case .reductionFailed(let index, let attempt, let peers, let reason):
            reductionFailed(index, attempt: attempt, peers: peers, reason: reason, on: peer)
        }
    }

    private mutating func join(
        _ hello: WorkerMessage.Hello, from source: RoutingID, sequence: UInt64, now: Moment
    ) {
        let peer = source.peer
        guard hello.peer == peer, source.channel == .control, sequence == 1 else {
            refuse(Refusal(.identity, expected: "\(hello.peer)", found: "\(peer)"), source)
            return
        }
        // A repeated hello of a session that stands, or of one that was replaced meanwhile.
        if records[peer] != nil
            || workers.contains(where: { $0.worker == peer.worker && $0.incarnation > peer.incarnation })
        {
            return
        }
        guard hello.compute.library == identity.library else {
            refuse(Refusal(.library, expected: identity.library, found: hello.compute.library), source)
            return
        }
        guard hello.compute.supportedISAs.contains(identity.isa) else {
            let found = hello.compute.supportedISAs.joined(separator: ", ")
            refuse(Refusal(.instructionSet, expected: identity.isa, found: found), source)
            return
        }
        switch phase {
        case .running: break
        case .failed(let error):
            sendUncounted(.shutdown(reason: .jobFailed, detail: error.code.rawValue), to: source)
            return
        case .finishing:
            sendUncounted(.shutdown(reason: .finished, detail: ""), to: source)
            return
        }
        guard !expelled.contains(peer.worker) else {
            sendUncounted(.shutdown(reason: .expelled, detail: ""), to: source)
            return
        }
        for older in workers where older.worker == peer.worker { drop(older, .replaced, now: now) }
        guard workers.count < limits.workers else {
            refuse(Refusal(.capacity, expected: "at most \(limits.workers) workers", found: "one more"), source)
            return
        }
        workers.append(peer)
        records[peer] = WorkerRecord(hello: hello, now: now)
        log(
            LogEvent(
                .info, "worker joined",
                [
                    "worker.id": peer.description, "worker.host": hello.host, "worker.process": "\(hello.process)",
                    "worker.lanes": "\(hello.lanes)", "workers.alive": "\(workers.count)",
                ]))
        send(
            .welcome(
                CoordinatorMessage.Welcome(
                    job: identity.job, epoch: identity.epoch, isa: identity.isa,
                    heartbeatIntervalMilliseconds: limits.heartbeatInterval.milliseconds,
                    heartbeatTimeoutMilliseconds: limits.heartbeatTimeout.milliseconds)), to: peer)
        announcePass(to: peer, now: now)
    }

    private mutating func refuse(_ refusal: Refusal, _ source: RoutingID) {
        sendUncounted(.refused(refusal), to: source)
        log(
            LogEvent(
                .warning, "worker refused",
                [
                    "worker.id": source.peer.description, "refusal.code": refusal.code.rawValue,
                    "refusal.expected": refusal.expected, "refusal.found": refusal.found,
                ]))
    }

    /// Answers bytes that are no message of this version.
    mutating func refuse(_ error: WireError, from source: RoutingID?, now: Moment) {
        var metadata = ["error.code": error.code.rawValue]
        if let expected = error.expected { metadata["error.expected"] = expected }
        if let found = error.found { metadata["error.found"] = found }
        guard let source else {
            log(LogEvent(.warning, "stranger refused", metadata))
            return
        }
        if error.code == .protocolVersion {
            let version = "\(WireLimits.protocolVersion)"
            refuse(Refusal(.protocolVersion, expected: version, found: error.found ?? ""), source)
            return
        }
        metadata["worker.id"] = source.peer.description
        log(LogEvent(.warning, "message refused", metadata))
        // The message is lost to its session, if there is one.
        if records[source.peer] != nil {
            drop(source.peer, .lostMessages, now: now)
        } else {
            sendUncounted(.rejoin, to: source)
        }
    }

    mutating func drop(_ peer: PeerID, _ reason: DropReason, now: Moment) {
        guard let record = records.removeValue(forKey: peer) else { return }
        workers.removeAll { $0 == peer }
        pass?.lacking.remove(peer)
        actions.append(.forget(peer))
        // Any later first; then they come back to the front in their order.
        for token in record.leases.reversed() { release(token, isLoss: reason.isLoss, now: now) }
        let level: Logger.Level = reason == .goodbye ? .info : .warning
        log(
            LogEvent(
                level, "worker left",
                [
                    "worker.id": peer.description, "reason": reason.rawValue,
                    "leases.returned": "\(record.leases.count)",
                    "workers.alive": "\(workers.count)",
                ]))
        switch reason {
        case .lostMessages, .violation, .stalled, .silent, .failedShard:
            sendUncounted(.rejoin, to: RoutingID(peer: peer, channel: .control))
        case .setUpTimeout, .hung, .expelled:
            expelled.insert(peer.worker)
            sendUncounted(
                .shutdown(reason: .expelled, detail: reason.rawValue), to: RoutingID(peer: peer, channel: .control))
        case .unreachable, .replaced, .goodbye:
            break
        }
    }

    mutating func checkTimes(now: Moment) {
        for peer in workers {
            guard let record = records[peer] else { continue }
            if now - record.lastHeard > limits.heartbeatTimeout {
                drop(peer, .silent, now: now)
            } else if now - record.lastMoved > limits.stallTimeout {
                drop(peer, .stalled, now: now)
            } else if let since = record.setUpSince, now - since > limits.setUpTimeout {
                drop(peer, .setUpTimeout, now: now)
            }
        }
        expireLeases(now: now)
        guard lastPulse.map({ now - $0 >= limits.tick }) ?? true else { return }
        lastPulse = now
        for peer in workers {
            guard let record = records[peer], record.hasHeartbeat else { continue }
            let counts = HeartbeatMessage(sent: record.sent, received: record.received)
            sendUncounted(.heartbeat(counts), to: RoutingID(peer: peer, channel: .heartbeat))
        }
    }
}

extension DropReason {
    /// Whether the worker may have died of what it held.
    var isLoss: Bool {
        switch self {
        case .unreachable, .silent, .hung: true
        default: false
        }
    }
}
