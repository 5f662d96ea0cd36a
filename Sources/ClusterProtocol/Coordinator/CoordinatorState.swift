import Foundation
import Logging
import Messaging
import Support

/// The coordinator's protocol as a value: events in, actions out. It has no sockets, no clock, no disk and no randomness, so
/// that a simulator can drive it through any history.
///
/// Delivery is at least once and the count exactly once: a lease may be given again after any doubt, results of one shard are
/// compared by digest, and only the first is merged.
///
/// This is the router: it takes workers in and sees them off, hands what they say to the part that it is about, and carries
/// out what a part's verdict means for the rest.
package struct CoordinatorState {
    /// How the job is doing.
    private enum Phase {
        case betweenPasses
        case running(RunningPass)
        case failed(ClusterError)
        case finishing
    }

    private let identity: Identity
    private let limits: ProtocolLimits
    private var phase = Phase.betweenPasses
    private var desk: CoordinatorDesk
    private var artifacts: [ArtifactID: any ArtifactContent] = [:]
    /// Since when a pass lacks workers altogether, and when that is to be told next.
    private var workerless: (since: Moment, nextReport: Moment)?

    /// A coordinator without workers, before its first pass.
    package init(identity: Identity, limits: ProtocolLimits) {
        self.identity = identity
        self.limits = limits
        desk = CoordinatorDesk(epoch: identity.epoch, limits: limits)
    }

    /// Takes an event in.
    /// - Parameter now: not before that of any former event.
    /// - Returns: what is to be done, in this order.
    package mutating func handle(_ event: Event, now: Moment) -> [Action] {
        switch event {
        case .received(let source, let envelope): receive(envelope, from: source, now: now)
        case .undecodable(let source, let error):
            // The message is lost to its session.
            if let peer = desk.refuse(error, from: source) { drop(peer, .lostMessages, now: now) }
        case .unreachable(let target): drop(target.peer, .unreachable, now: now)
        case .artifactAdded(let id, let content): artifacts[id] = content
        case .artifactRemoved(let id): artifacts[id] = nil
        case .passBegan(let start): begin(start, now: now)
        case .shardRead(let shard): inPass { pass, _ in pass.add(shard) }
        case .sourceEnded(let count): inPass { pass, _ in pass.sourceEnded(shards: count) }
        case .committed(let shards): inPass { pass, desk in pass.commit(shards, &desk) }
        case .resultRejected(let shard, let reason): reject(shard, reason, now: now)
        case .failed(let error): fail(error)
        case .finish: finish()
        case .tick: checkTimes(now: now)
        }
        advance(now: now)
        return desk.takeActions()
    }

    // MARK: The job

    /// What the pass can go on with now, whatever has happened.
    private mutating func advance(now: Moment) {
        conclude(now: now)
        inPass { pass, desk in pass.takeBackContributions(now: now, &desk) }.map { apply($0, now: now) }
        inPass { pass, desk in pass.lease(now: now, &desk) }
        inPass { pass, desk in pass.planReduction(now: now, &desk) }.map { apply($0, now: now) }
        if let pass, pass.isStateLost(desk) { endPass(ClusterError(.stateLost, pass: pass.name)) }
        if let completion = inPass({ pass, desk in pass.completion(now: now, &desk) }) { complete(completion) }
        inPass { pass, desk in pass.read(&desk) }
    }

    /// For looking only: what is done to it is lost.
    private var pass: RunningPass? { if case .running(let pass) = phase { pass } else { nil } }

    private var isRunning: Bool {
        switch phase {
        case .betweenPasses, .running: true
        case .failed, .finishing: false
        }
    }

    /// Works on the pass that runs, if one does. It is taken out of the phase meanwhile, so that nothing of it is copied.
    private mutating func inPass(_ body: (inout RunningPass, inout CoordinatorDesk) -> Void) {
        guard case .running(var pass) = phase else { return }
        phase = .betweenPasses
        body(&pass, &desk)
        phase = .running(pass)
    }

    private mutating func inPass<Value>(
        _ body: (inout RunningPass, inout CoordinatorDesk) -> Value?
    ) -> Value? {
        var value: Value?
        inPass { pass, desk in value = body(&pass, &desk) }
        return value
    }

    private mutating func apply(_ verdict: RunningPass.Verdict, now: Moment) {
        switch verdict {
        case .drop(let peer, let reason): drop(peer, reason, now: now)
        case .refuse(let peer, let refusal):
            // After the session's end, which forgets what is still to be sent.
            drop(peer, .refused, now: now)
            desk.refuse(refusal, RoutingID(peer: peer, channel: .control))
        case .failJob(let error): fail(error)
        case .endPass(let error): endPass(error)
        }
    }

    private mutating func fail(_ error: ClusterError) {
        guard isRunning else { return }
        phase = .failed(error)
        desk.act(.jobFailed(error))
        desk.log(
            error.code == .closed
                ? LogLine(.info, "job ended, as asked")
                : LogLine(.error, "job failed", ["error.code": error.code.rawValue]))
        for peer in desk.roster.peers {
            desk.send(.shutdown(reason: .jobFailed, detail: error.codeForWorkers.rawValue), to: peer)
        }
    }

    private mutating func finish() {
        if isRunning { for peer in desk.roster.peers { desk.send(.shutdown(reason: .finished, detail: ""), to: peer) } }
        phase = .finishing
    }

    // MARK: Passes

    private mutating func begin(_ start: PassStart, now: Moment) {
        guard isRunning else { return }
        precondition(pass == nil, "a pass was begun while another runs")
        let references = start.artifacts.map { id in
            guard let content = artifacts[id] else { preconditionFailure("an artifact of the pass was not added") }
            return ArtifactReference(id: id, size: content.count)
        }
        let descriptor = ArtifactReference(id: SHA256Digest(of: start.descriptor), size: start.descriptor.count)
        artifacts[descriptor.id] = start.descriptor
        desk.leases.beginPass()
        phase = .running(RunningPass(start, descriptor: descriptor, artifacts: references, limits: limits))
        desk.log(
            LogLine(
                start.isJournaled ? .info : .debug, "pass begins",
                ["pass.name": start.name, "shards.committed": "\(start.committed.count)"]))
        for peer in desk.roster.peers { inPass { pass, desk in pass.announce(to: peer, now: now, &desk) } }
    }

    /// Where all workers have come to the same in a reduced pass, it counts; who has come to something else goes.
    private mutating func conclude(now: Moment) {
        switch inPass({ pass, desk in pass.conclusion(desk) }) {
        case nil: break
        case .split(let peers):
            let names = peers.map(\.description).joined(separator: ", ")
            desk.log(
                LogLine(
                    .critical, "workers differ after a step", ["pass.name": pass?.name ?? "", "workers": names]))
            endPass(
                ClusterError(
                    .replicasDiffer, pass: pass?.name, worker: peers.map(\.worker).joined(separator: ", ")))
        case .agreed(let differing):
            for peer in differing {
                desk.log(
                    LogLine(
                        .critical, "worker differs from the others after a step",
                        [
                            "pass.name": pass?.name ?? "", "worker.id": peer.description,
                            "worker.host": desk.roster.hello(of: peer)?.host ?? "",
                        ]))
                drop(peer, .expelled, now: now)
            }
            inPass { pass, desk in pass.mergeSummaries(now: now, &desk) }
        }
    }

    private mutating func complete(_ completion: PassCompletion) {
        guard let pass = dismissPass() else { return }
        desk.log(
            LogLine(
                pass.isJournaled ? .info : .debug, "pass complete",
                ["pass.name": pass.name, "shards": "\(completion.shards)", "samples": "\(completion.samples)"]))
        desk.act(.passCompleted(completion))
    }

    /// Ends the pass with an error that another pass may follow.
    private mutating func endPass(_ error: ClusterError) {
        guard let pass else { return }
        desk.log(LogLine(.warning, "pass ended", ["pass.name": pass.name, "error.code": error.code.rawValue]))
        _ = dismissPass()
        desk.act(.passEnded(error))
    }

    /// Nobody works on the pass any more.
    private mutating func dismissPass() -> RunningPass? {
        guard let pass else { return nil }
        for peer in desk.roster.peers {
            // What is left are repetitions; their results are not needed.
            desk.send(desk.leases.void(peer), to: peer) { .revoke(tokens: $0) }
        }
        if !pass.artifacts.contains(pass.descriptor) { artifacts[pass.descriptor.id] = nil }
        phase = .betweenPasses
        return pass
    }

    private mutating func reject(_ shard: Int, _ reason: String, now: Moment) {
        guard let worker = inPass({ pass, desk in pass.reject(shard, reason, &desk) }) else { return }
        desk.roster.expel(worker)
        for peer in desk.roster.sessions(ofWorker: worker) { drop(peer, .expelled, now: now) }
    }

    // MARK: What workers say

    private mutating func receive(_ envelope: Envelope<WorkerMessage>, from source: RoutingID, now: Moment) {
        if case .hello(let hello) = envelope.message {
            join(hello, from: source, sequence: envelope.sequence, now: now)
            return
        }
        switch desk.roster.receive(envelope, from: source, now: now) {
        case .nothing: break
        // Also answers a goodbye that was repeated; the worker is gone then and the answer unreachable.
        case .stranger: desk.sendUncounted(.rejoin, to: source)
        case .broken(let reason): drop(source.peer, reason, now: now)
        case .message(let message): handle(message, from: source.peer, now: now)
        case .result(let message, let data): receive(message, data, from: source.peer, now: now)
        }
    }

    private mutating func handle(_ message: WorkerMessage, from peer: PeerID, now: Moment) {
        switch message {
        // Of the session itself, which the roster keeps.
        case .hello, .heartbeat, .result, .resultChunk: break
        case .fetch(let artifact, let offset):
            inPass { pass, _ in pass.setUpGoesOn(on: peer, now: now) }
            sendChunk(of: artifact, offset, to: peer)
        case .goodbye: drop(peer, .goodbye, now: now)
        case .returned(let tokens): inPass { pass, desk in pass.takeBack(tokens, from: peer, &desk) }
        case .passReady(let index, let probe):
            inPass(index, now: now) { pass, desk in pass.setUpDone(on: peer, probe: probe, &desk) }
        case .passFailed(let index, let failure):
            inPass(index, now: now) { pass, desk in pass.setUpFailed(failure, on: peer, &desk) }
        case .request(let index, let credits):
            inPass(index, now: now) { _, desk in
                desk.leases.request(credits, by: peer); return nil
            }
        case .shardFailed(let index, let shard, let token, let failure):
            inPass(index, now: now) { pass, desk in pass.shardFailed(shard, token, failure, on: peer, &desk) }
        case .reduced(let index, let attempt, let digest):
            inPass(index, now: now) { pass, _ in
                pass.reduced(attempt: attempt, digest: digest, on: peer); return nil
            }
        case .reductionFailed(let index, let attempt, let peers, let reason):
            inPass(index, now: now) { pass, desk in
                pass.exchangeFailed(attempt: attempt, peers: peers, reason: reason, on: peer, &desk)
            }
        }
    }

    /// Hands on what is about a pass, if it is the one that runs.
    private mutating func inPass(
        _ index: Int, now: Moment, _ body: (inout RunningPass, inout CoordinatorDesk) -> RunningPass.Verdict?
    ) {
        guard pass?.index == index else { return }
        inPass(body).map { apply($0, now: now) }
    }

    private mutating func receive(
        _ message: WorkerMessage.ResultMessage, _ data: Data, from peer: PeerID, now: Moment
    ) {
        desk.leases.answers(peer, now: now)
        // Fenced: of another life of the coordinator, or of a pass that is over. The worker may forget it.
        guard desk.leases.hasGranted(message.token), pass?.index == message.pass else {
            desk.send(.ack(tokens: [message.token]), to: peer)
            return
        }
        inPass(message.pass, now: now) { pass, desk in pass.accept(message, data, from: peer, now: now, &desk) }
    }

    private mutating func sendChunk(of artifact: ArtifactID, _ offset: Int, to peer: PeerID) {
        // A fetch may be about a pass that is over, its descriptor gone; the worker will hear of the next one.
        guard let content = artifacts[artifact], offset < content.count else { return }
        let chunk = content.bytes(offset..<min(content.count, offset + limits.chunkSize))
        desk.send(.artifactChunk(artifact: artifact, offset: offset, chunk: chunk), to: peer)
    }

    // MARK: Coming and going

    private mutating func join(
        _ hello: WorkerMessage.Hello, from source: RoutingID, sequence: UInt64, now: Moment
    ) {
        let peer = source.peer
        guard hello.peer == peer, source.channel == .control, sequence == 1 else {
            desk.refuse(Refusal(.identity, expected: "\(hello.peer)", found: "\(peer)"), source)
            return
        }
        if desk.roster.hasGreeted(peer) { return }
        if let refusal = identity.refusal(of: hello.compute) {
            desk.refuse(refusal, source)
            return
        }
        switch phase {
        case .betweenPasses, .running: break
        case .failed(let error):
            desk.sendUncounted(.shutdown(reason: .jobFailed, detail: error.codeForWorkers.rawValue), to: source)
            return
        case .finishing:
            desk.sendUncounted(.shutdown(reason: .finished, detail: ""), to: source)
            return
        }
        guard !desk.roster.isExpelled(peer.worker) else {
            desk.sendUncounted(.shutdown(reason: .expelled, detail: ""), to: source)
            return
        }
        for older in desk.roster.sessions(ofWorker: peer.worker) { drop(older, .replaced, now: now) }
        guard desk.roster.count < limits.workers else {
            desk.refuse(Refusal(.capacity, expected: "at most \(limits.workers) workers", found: "one more"), source)
            return
        }
        welcome(hello, now: now)
    }

    private mutating func welcome(_ hello: WorkerMessage.Hello, now: Moment) {
        let peer = hello.peer
        desk.roster.join(hello, now: now)
        desk.leases.open(peer, now: now)
        desk.log(
            LogLine(
                .info, "worker joined",
                [
                    "worker.id": peer.description, "worker.host": hello.host, "worker.process": "\(hello.process)",
                    "worker.lanes": "\(hello.lanes)", "workers.alive": "\(desk.roster.count)",
                ]))
        desk.send(
            .welcome(
                CoordinatorMessage.Welcome(
                    job: identity.job, epoch: identity.epoch, isa: identity.isa,
                    heartbeatIntervalMilliseconds: limits.heartbeatInterval.milliseconds,
                    heartbeatTimeoutMilliseconds: limits.heartbeatTimeout.milliseconds)), to: peer)
        inPass { pass, desk in pass.announce(to: peer, now: now, &desk) }
    }

    private mutating func drop(_ peer: PeerID, _ reason: DropReason, now: Moment) {
        guard desk.roster.leave(peer) else { return }
        desk.act(.forget(peer))
        // Any later first; then they come back to the front in their order.
        let leases = desk.leases.close(peer).reversed().compactMap { desk.leases.remove($0) }
        let failure = inPass { pass, desk in
            pass.lose(peer, leases: leases, isLoss: reason.isLoss, desk)
        }
        if let failure { fail(failure) }
        desk.log(
            LogLine(
                reason == .goodbye ? .info : .warning, "worker left",
                [
                    "worker.id": peer.description, "reason": reason.rawValue, "leases.returned": "\(leases.count)",
                    "workers.alive": "\(desk.roster.count)",
                ]))
        let target = RoutingID(peer: peer, channel: .control)
        switch reason {
        case .lostMessages, .violation, .stalled, .silent, .failedShard: desk.sendUncounted(.rejoin, to: target)
        case .setUpTimeout, .hung, .expelled:
            desk.roster.expel(peer.worker)
            desk.sendUncounted(.shutdown(reason: .expelled, detail: reason.rawValue), to: target)
        case .refused: desk.roster.expel(peer.worker)
        case .unreachable, .replaced, .goodbye: break
        }
    }

    /// A pass without any worker may wait for ever; its user is told of it as long as it does.
    private mutating func checkWaiting(now: Moment) {
        guard pass != nil, desk.roster.isEmpty else {
            workerless = nil
            return
        }
        let (since, nextReport) = workerless ?? (now, now + limits.firstWaitingReport)
        workerless = (since, nextReport)
        guard now >= nextReport else { return }
        desk.act(.tellWaiting(now - since))
        workerless = (since, now + limits.waitingReport)
    }

    private mutating func checkTimes(now: Moment) {
        checkWaiting(now: now)
        for peer in desk.roster.peers {
            if let reason = desk.roster.overdue(peer, now: now) {
                drop(peer, reason, now: now)
            } else if pass?.isSetUpOverdue(peer, now: now) == true {
                drop(peer, .setUpTimeout, now: now)
            }
        }
        for token in desk.leases.tokens {
            inPass { pass, desk in pass.expire(token, now: now, &desk) }.map { apply($0, now: now) }
        }
        for (target, counts) in desk.roster.pulse(now: now) { desk.sendUncounted(.heartbeat(counts), to: target) }
    }
}

// MARK: What is seen from outside

extension CoordinatorState {
    /// Workers whose sessions stand.
    package var workersAlive: Int { desk.roster.count }

    /// Lanes of these workers.
    package var lanesAlive: Int { desk.roster.lanes }

    /// Whether the job is over and all workers have gone.
    package var isFinished: Bool { if case .finishing = phase { desk.roster.isEmpty } else { false } }

    /// What of the pass that runs is committed, and how many shards it has where that is known; nil between passes.
    package var passProgress: (committed: CommittedShards, shards: Int?)? {
        pass.map { ($0.committed, $0.totalShards) }
    }

    /// Shards whose payloads are kept.
    package var heldShards: Int { pass?.heldShards ?? 0 }

    /// Credits and leases of the workers that live: with the read-ahead, what may be held.
    package var grantedCapacity: Int {
        desk.roster.peers.reduce(0) { $0 + desk.leases.credits(of: $1) + desk.leases.leaseCount(of: $1) }
    }

    /// What must hold after every event; what does not, in words. For tests: it looks at everything.
    package func invariantViolations() -> [String] {
        guard let pass else { return desk.roster.invariantViolations() }
        return desk.invariantViolations() + pass.invariantViolations(desk)
    }
}
