import Foundation
import Messaging

/// Joining, staying and leaving.
extension WorkerState {
    var peer: PeerID { PeerID(worker: identity.worker, incarnation: incarnation) }

    mutating func open(now: Moment) {
        incarnation += 1
        session = Session(lastHeard: now, lastMoved: now)
        phase = .connecting(since: now)
        actions.append(.openLink(peer))
    }

    mutating func greet(now: Moment) {
        phase = .greeted(at: now)
        session.lastHeard = now
        send(
            .hello(
                WorkerMessage.Hello(
                    peer: peer, lanes: identity.lanes, compute: identity.compute, host: identity.host,
                    process: identity.process, exchangePort: identity.exchangePort)))
    }

    mutating func loseSession(_ reason: String, now: Moment) {
        log(LogEvent(.warning, "session lost", ["reason": reason, "worker.id": peer.description]))
        actions.append(.closeLink)
        phase = .waiting(until: now + pause)
        pause = min(pause * 2, limits.reconnectPauseMaximum)
        if lostSince == nil { lostSince = now }
        creditsOut = 0
        arriving = nil
        fetch?.interrupt()
        if pass?.isReduced ?? false { forgetReducedPass() }
        // What was given and not begun is given to others; what is being computed may still be of use.
        let tokens = leases.filter { !$0.value.isArriving }.keys.sorted()
        leases = leases.filter { !$0.value.isArriving }
        if !tokens.isEmpty { actions.append(.cancel(tokens)) }
    }

    mutating func receive(_ envelope: Envelope<CoordinatorMessage>, on channel: Channel, now: Moment) {
        switch phase {
        case .waiting, .connecting, .over: return
        case .greeted, .joined: break
        }
        session.lastHeard = now
        if channel == .heartbeat {
            guard case .heartbeat(let counts) = envelope.message, phase == .joined else { return }
            if counts.sent <= session.received { session.lastMoved = now }
            return
        }
        // Outside of the session's count: the session does not exist for the coordinator.
        if envelope.sequence == 0 {
            receiveUncounted(envelope.message, now: now)
            return
        }
        if envelope.sequence <= session.received { return }
        guard envelope.sequence == session.received + 1 else {
            loseSession("lost messages", now: now)
            return
        }
        session.received = envelope.sequence
        session.lastMoved = now
        handle(envelope.message, now: now)
    }

    private mutating func receiveUncounted(_ message: CoordinatorMessage, now: Moment) {
        switch message {
        case .rejoin: loseSession("rejoin", now: now)
        case .refused(let refusal): exit(.refused(refusal))
        case .shutdown(let reason, let detail): shutDown(reason, detail)
        default: loseSession("protocol violation", now: now)
        }
    }

    private mutating func handle(_ message: CoordinatorMessage, now: Moment) {
        if case .welcome(let welcome) = message {
            join(welcome, now: now)
            return
        }
        guard phase == .joined else {
            loseSession("protocol violation", now: now)
            return
        }
        if arriving != nil {
            // A payload's chunks follow its lease without anything in between.
            guard case .leaseChunk(let token, let offset, let chunk) = message else {
                loseSession("protocol violation", now: now)
                return
            }
            receiveChunk(token, offset, chunk, now: now)
            return
        }
        switch message {
        case .welcome: break
        case .refused(let refusal): exit(.refused(refusal))
        case .rejoin: loseSession("rejoin", now: now)
        case .heartbeat, .leaseChunk: loseSession("protocol violation", now: now)
        case .passBegin(let begin): self.begin(begin)
        case .artifactChunk(let artifact, let offset, let chunk): receiveArtifact(artifact, offset, chunk, now: now)
        case .lease(let lease): receiveLease(lease, now: now)
        case .ack(let tokens): acknowledged(tokens)
        case .revoke(let tokens): revoked(tokens)
        case .exchange(let plan): exchange(plan, now: now)
        case .shutdown(let reason, let detail): shutDown(reason, detail)
        }
    }

    private mutating func join(_ welcome: CoordinatorMessage.Welcome, now: Moment) {
        guard case .greeted = phase else {
            loseSession("protocol violation", now: now)
            return
        }
        let newJob = Job(name: welcome.job, epoch: welcome.epoch, isa: welcome.isa)
        if newJob != job {
            // Another life of the coordinator counts on nothing of the former one.
            results = [:]
            resultBytes = 0
        }
        if newJob.name != job?.name || newJob.isa != job?.isa {
            pass = nil
            let tokens = leases.keys.sorted()
            if !tokens.isEmpty { actions.append(.cancel(tokens)) }
            leases = [:]
        }
        job = newJob
        heartbeatInterval = .milliseconds(welcome.heartbeatIntervalMilliseconds)
        heartbeatTimeout = .milliseconds(welcome.heartbeatTimeoutMilliseconds)
        phase = .joined
        session.lastMoved = now
        pause = limits.reconnectPause
        lostSince = nil
        log(
            LogEvent(
                .info, "joined",
                [
                    "worker.id": peer.description, "job.id": welcome.job, "job.epoch": "\(welcome.epoch)",
                    "compute.isa": welcome.isa,
                ]))
        sendHeartbeat(now: now)
    }

    private mutating func shutDown(_ reason: CoordinatorMessage.ShutdownReason, _ detail: String) {
        switch reason {
        case .finished: exit(.finished)
        case .jobFailed: exit(.jobFailed(detail))
        case .expelled: exit(.expelled(detail))
        }
    }

    mutating func refuse(_ error: WireError, now: Moment) {
        if error.code == .protocolVersion {
            exit(.refused(Refusal(.protocolVersion, expected: error.found ?? "", found: error.expected ?? "")))
        } else {
            log(LogEvent(.warning, "message refused", ["error.code": error.code.rawValue]))
            loseSession("undecodable", now: now)
        }
    }

    private mutating func sendHeartbeat(now: Moment) {
        session.lastHeartbeat = now
        let counts = HeartbeatMessage(sent: session.sent, received: session.received)
        actions.append(.send(.heartbeat, Envelope(sequence: 0, message: .heartbeat(counts))))
    }

    mutating func checkTimes(now: Moment) {
        if let drainUntil, now >= drainUntil {
            exit(.drained)
            return
        }
        if let lostSince, now - lostSince > limits.patience {
            exit(.coordinatorLost)
            return
        }
        switch phase {
        case .waiting(let until):
            if now >= until { open(now: now) }
        case .connecting(let since):
            // The sockets connect again by themselves, but always to the same kind of address.
            guard now - since > limits.connectTimeout else { return }
            actions.append(.closeLink)
            open(now: now)
        case .over:
            break
        case .greeted(let at):
            if now - at > heartbeatTimeout { loseSession("no welcome", now: now) }
        case .joined:
            if now - session.lastHeard > heartbeatTimeout {
                loseSession("silent", now: now)
            } else if now - session.lastMoved > limits.stallTimeout {
                loseSession("stalled", now: now)
            } else if session.lastHeartbeat.map({ now - $0 >= heartbeatInterval }) ?? true {
                sendHeartbeat(now: now)
            }
        }
    }

    mutating func stop(now: Moment) {
        guard drainUntil == nil, phase == .joined else {
            exit(.drained)
            return
        }
        log(LogEvent(.info, "draining", ["worker.id": peer.description, "leases": "\(leases.count)"]))
        drainUntil = now + limits.drainTimeout
        let tokens = leases.keys.sorted()
        if !tokens.isEmpty { actions.append(.cancel(tokens)) }
    }

    /// A draining worker goes once it owes nothing; and at once when it has lost its coordinator meanwhile.
    mutating func leaveIfDrained() {
        guard drainUntil != nil, phase != .over else { return }
        if phase != .joined || (leases.isEmpty && results.isEmpty) { exit(.drained) }
    }
}
