import Foundation
import Messaging
import Support

/// The worker's protocol as a value: events in, actions out, like `CoordinatorState`.
///
/// A session lasts as long as both of its connections stand. Whatever goes wrong ends it, and the worker comes back as a new
/// incarnation; what it has computed survives and is sent again, what it was only given does not.
///
/// This is the router: it hands what happens to the part that it is about, and says what comes of it.
package struct WorkerState {
    /// The job that a worker is part of, as welcomed.
    private struct Job: Equatable {
        var name: String
        var epoch: UInt32
        var isa: String
    }

    private let identity: Identity
    private let limits: ProtocolLimits
    private var session: WorkerSession
    private var job: Job?
    private var preparation: PassPreparation
    private var leases = HeldLeases()
    private var results: HeldResults
    /// Of a worker that was told to stop.
    private var drainUntil: Moment?
    private var actions: [Action] = []

    /// Makes what takes in an artifact of so many bytes.
    package typealias ArtifactKeeping = (_ size: Int) -> any ArrivingArtifact

    /// A worker that has not been started.
    /// - Parameter keeping: where artifacts are kept; in memory unless it says otherwise.
    package init(
        identity: Identity, limits: ProtocolLimits,
        keeping: @escaping ArtifactKeeping = { ArrivingBytes(size: $0) }
    ) {
        self.identity = identity
        self.limits = limits
        session = WorkerSession(worker: identity.worker, limits: limits)
        preparation = PassPreparation(limits: limits, keeping: keeping)
        results = HeldResults(limits: limits)
    }

    /// Takes an event in.
    /// - Parameter now: not before that of any former event.
    /// - Returns: what is to be done, in this order; nothing once the worker's run is over.
    package mutating func handle(_ event: Event, now: Moment) -> [Action] {
        guard !session.isOver else { return [] }
        switch event {
        case .started:
            session.start(now: now)
            open(now: now)
        case .connected(let number): if session.awaits(number) { greet(now: now) }
        case .disconnected(let number): if session.stands(on: number) { loseSession("disconnected", now: now) }
        case .received(let channel, let envelope): receive(envelope, on: channel, now: now)
        case .undecodable(let error): refuse(error, now: now)
        case .setUpDone(let number, let probe): if preparation.setUpDone(number, probe: probe) { sayReady() }
        case .setUpFailed(let number, let failure): setUpFailed(number, failure)
        case .computed(let item, let result, let digest, let nanoseconds):
            computed(item, result, digest, nanoseconds)
        case .failed(let item, let failure): failed(item, failure)
        case .cancelled(let tokens): giveBack(tokens)
        case .needed(let pass, let artifacts):
            preparation.needs(artifacts, for: pass)
            prepare()
        case .exchanged(let own, let pass, let attempt, let digest):
            if own == session.peer { exchanged(pass, attempt, digest) }
        case .exchangeFailed(let own, let pass, let attempt, let peers, let reason):
            if own == session.peer { exchangeFailed(pass, attempt, peers, reason) }
        case .probed(let endpoint, let reason): sayWaiting(for: endpoint, because: reason, now: now)
        case .stop: stop(now: now)
        case .tick: checkTimes(now: now)
        }
        requestLeases()
        leaveIfDrained()
        defer { actions.removeAll() }
        return actions
    }

    /// Whether the worker's run is over.
    package var isOver: Bool { session.isOver }

    /// How often deadlines are to be looked at.
    package var tick: Duration { min(limits.tick, session.heartbeatInterval / 4) }

    /// Leases that are kept, for tests of their bound.
    package var heldLeases: Int { leases.count }

    /// Results that are kept, for tests of their bound.
    package var heldResults: Int { results.count }

    private mutating func log(_ event: LogLine) { actions.append(.log(event)) }

    private mutating func send(_ message: WorkerMessage) {
        if let envelope = session.next(message) { actions.append(.send(.control, envelope)) }
    }

    private mutating func exit(_ exit: WorkerExit) {
        guard !session.isOver else { return }
        send(.goodbye)
        session.end()
        actions.append(.closeLink)
        actions.append(.exit(exit))
    }

    // MARK: The session

    private mutating func open(now: Moment) {
        session.open(now: now)
        preparation.sessionBegan()
        actions.append(.openLink(session.peer))
    }

    private mutating func greet(now: Moment) {
        let hello = WorkerMessage.Hello(
            peer: session.peer, lanes: identity.lanes, compute: identity.compute, host: identity.host,
            process: identity.process, exchangePort: identity.exchangePort)
        actions.append(.send(.control, session.greet(hello, now: now)))
    }

    private mutating func join(_ welcome: CoordinatorMessage.Welcome, now: Moment) {
        let newJob = Job(name: welcome.job, epoch: welcome.epoch, isa: welcome.isa)
        // Another life of the coordinator counts on nothing of the former one.
        if newJob != job { results.drop { _ in true } }
        if newJob.name != job?.name || newJob.isa != job?.isa {
            preparation.forgetPass()
            cancel(leases.tokens)
            leases.removeAll()
        }
        job = newJob
        session.join(welcome, now: now)
        log(
            LogLine(
                .info, "joined",
                [
                    "worker.id": session.peer.description, "job.id": welcome.job, "job.epoch": "\(welcome.epoch)",
                    "compute.isa": welcome.isa,
                ]))
        beat(now: now)
    }

    private mutating func beat(now: Moment) { actions.append(.send(.heartbeat, session.heartbeat(now: now))) }

    private mutating func loseSession(_ reason: String, now: Moment) {
        log(LogLine(.warning, "session lost", ["reason": reason, "worker.id": session.peer.description]))
        actions.append(.closeLink)
        session.lose(now: now)
        preparation.sessionEnded()
        // The coordinator counts on nothing of a reduced pass that a lost session has computed.
        if preparation.pass?.isReduced ?? false {
            cancel(leases.tokens)
            leases.removeAll()
            results.drop { _ in true }
            actions.append(.endExchange)
            preparation.forgetPass()
        }
        leases.sessionEnded()
        cancel(leases.tokens)
    }

    private mutating func cancel(_ tokens: [LeaseToken]) {
        if !tokens.isEmpty { actions.append(.cancel(tokens)) }
    }

    private mutating func checkTimes(now: Moment) {
        if let drainUntil, now >= drainUntil {
            exit(.drained)
            return
        }
        if session.isWaitingReportDue(now: now) { actions.append(.probe) }
        switch session.due(now: now) {
        case .nothing: break
        case .open: open(now: now)
        case .reopen:
            actions.append(.closeLink)
            open(now: now)
        case .heartbeat: beat(now: now)
        case .loss(let reason): loseSession(reason, now: now)
        case .giveUp: exit(.coordinatorLost)
        }
    }

    /// Unless a coordinator has come while it was found out why there was none.
    private mutating func sayWaiting(for endpoint: String, because reason: String, now: Moment) {
        guard let (waited, left) = session.waiting(now: now) else { return }
        log(
            LogLine(
                .warning, "waiting for a coordinator",
                [
                    "endpoint": endpoint, "waited": waited.wholeSeconds, "gives.up.in": left.wholeSeconds,
                    "reason": session.hasGreeted ? "connected, but not welcomed yet" : reason,
                ]))
    }

    private mutating func stop(now: Moment) {
        guard drainUntil == nil, session.isJoined else {
            exit(.drained)
            return
        }
        log(
            LogLine(
                .info, "draining", ["worker.id": session.peer.description, "leases": "\(leases.count)"]))
        drainUntil = now + limits.drainTimeout
        cancel(leases.tokens)
    }

    /// A draining worker goes once it owes nothing; and at once when it has lost its coordinator meanwhile.
    private mutating func leaveIfDrained() {
        guard drainUntil != nil else { return }
        if !session.isJoined || (leases.isEmpty && results.isEmpty) { exit(.drained) }
    }

    // MARK: What the coordinator says

    private mutating func receive(_ envelope: Envelope<CoordinatorMessage>, on channel: Channel, now: Moment) {
        switch session.receive(envelope, on: channel, now: now) {
        case .nothing: break
        case .broken(let reason): loseSession(reason, now: now)
        case .welcome(let welcome): join(welcome, now: now)
        case .message(let message): handle(message, now: now)
        case .uncounted(let message):
            switch message {
            case .rejoin, .refused, .shutdown: leave(message, now: now)
            default: violate(now: now)
            }
        }
    }

    private mutating func handle(_ message: CoordinatorMessage, now: Moment) {
        if leases.isArriving {
            // A payload's chunks follow its lease without anything in between.
            guard case .leaseChunk(let token, let offset, let chunk) = message else { return violate(now: now) }
            return arrived(leases.append(chunk, at: offset, to: token), now: now)
        }
        switch message {
        case .rejoin, .refused, .shutdown: leave(message, now: now)
        case .welcome, .heartbeat, .leaseChunk: violate(now: now)
        case .passBegin(let begin): self.begin(begin)
        case .artifactChunk(let artifact, let offset, let chunk):
            receive(artifact, offset, chunk, now: now)
        case .lease(let lease):
            arrived(
                preparation.isReady && preparation.isAnnounced(lease.pass)
                    ? leases.take(lease, setUp: preparation.number) : .violation, now: now)
        case .ack(let tokens):
            let acknowledged = Set(tokens)
            results.drop { acknowledged.contains($0.token) }
        case .revoke(let tokens): cancel(tokens.filter { leases.holds($0) })
        case .exchange(let plan): exchange(plan, now: now)
        }
    }

    /// The coordinator wants nothing of this session, or of this worker.
    private mutating func leave(_ message: CoordinatorMessage, now: Moment) {
        switch message {
        case .refused(let refusal): exit(.refused(refusal))
        case .shutdown(.finished, _): exit(.finished)
        case .shutdown(.jobFailed, let detail): exit(.jobFailed(detail))
        case .shutdown(.expelled, let detail): exit(.expelled(detail))
        default: loseSession("rejoin", now: now)
        }
    }

    private mutating func violate(now: Moment) { loseSession("protocol violation", now: now) }

    /// Answers bytes that are no message.
    private mutating func refuse(_ error: WireError, now: Moment) {
        if error.code == .protocolVersion {
            exit(.refused(Refusal(.protocolVersion, expected: error.found ?? "", found: error.expected ?? "")))
        } else {
            log(LogLine(.warning, "message refused", ["error.code": error.code.rawValue]))
            loseSession("undecodable", now: now)
        }
    }

    // MARK: Passes

    private mutating func begin(_ begin: CoordinatorMessage.PassBegin) {
        leases.forgetRequests()
        if begin != preparation.pass {
            // Results of another pass are committed, or else it would not be over.
            results.drop { $0.pass != begin.pass }
            cancel(leases.tokens)
            if preparation.pass?.isReduced ?? false { actions.append(.endExchange) }
        }
        preparation.begin(begin)
        prepare()
        if preparation.isReady { sayReady() }
    }

    private mutating func receive(_ artifact: ArtifactID, _ offset: Int, _ chunk: Data, now: Moment) {
        do throws(FileError) {
            if try preparation.receive(artifact, offset, chunk) { prepare() } else { violate(now: now) }
        } catch {
            let failure = ShardFailure(
                permanent: false, code: "artifactNotKept", fields: ["file": error.path, "found": error.reason])
            if let pass = preparation.pass { tellFailed(pass, failure) }
        }
    }

    private mutating func prepare() {
        for demand in preparation.demands(isa: job?.isa) {
            switch demand {
            case .fetch(let artifact, let offset): send(.fetch(artifact: artifact, offset: offset))
            case .examine(let pass, let descriptor, let artifacts):
                actions.append(.examine(pass: pass, descriptor: descriptor, artifacts: artifacts))
            case .setUp(let setUp): actions.append(.setUp(setUp))
            }
        }
    }

    /// In a session that has not announced the pass yet, all of it is said when it does.
    private mutating func sayReady() {
        guard preparation.isReady, let pass = preparation.pass else { return }
        send(.passReady(pass: pass.pass, probe: preparation.probe))
        for result in results.all { send(result) }
    }

    private mutating func setUpFailed(_ number: Int, _ failure: ShardFailure) {
        guard preparation.setUpFailed(number), let pass = preparation.pass else { return }
        tellFailed(pass, failure)
    }

    private mutating func tellFailed(_ pass: CoordinatorMessage.PassBegin, _ failure: ShardFailure) {
        log(
            LogLine(
                .error, "pass set-up failed",
                ["pass.name": pass.name, "failure.code": failure.code]
                    .merging(failure.logFields) { first, _ in first }))
        if preparation.isAnnounced { send(.passFailed(pass: pass.pass, failure)) }
    }

    // MARK: Leases

    /// Asks for leases until as many are held and asked for as the lanes can use.
    private mutating func requestLeases() {
        guard session.isJoined, preparation.isReady, let pass = preparation.pass, drainUntil == nil, !results.isFull
        else { return }
        let wanted = leases.request(upTo: limits.creditsPerLane * identity.lanes)
        if wanted > 0 { send(.request(pass: pass.pass, credits: wanted)) }
    }

    private mutating func arrived(_ arrival: HeldLeases.Arrival, now: Moment) {
        switch arrival {
        case .partial: break
        case .violation: violate(now: now)
        case .whole(let item):
            actions.append(.compute(item))
            // A draining worker takes nothing new, though it may already have asked.
            if drainUntil != nil { cancel([item.id.token]) }
        }
    }

    private mutating func computed(_ item: ItemID, _ data: Data, _ digest: SHA256Digest, _ nanoseconds: Int) {
        guard let lease = leases.finish(item), item.token.epoch == job?.epoch, lease.pass == preparation.pass?.pass
        else { return }
        let result = HeldResults.Result(
            pass: lease.pass, shard: lease.shard, token: item.token, digest: digest, data: data,
            nanoseconds: nanoseconds)
        results.insert(result)
        // In a session that has not announced the pass yet, it is sent when it does.
        if preparation.isReady { send(result) }
    }

    private mutating func send(_ result: HeldResults.Result) {
        let data = result.data
        for offset in stride(from: 0, to: max(1, data.count), by: limits.chunkSize) {
            let start = data.startIndex + offset
            let chunk = data[start..<min(data.endIndex, start + limits.chunkSize)]
            send(
                offset == 0
                    ? .result(
                        WorkerMessage.ResultMessage(
                            pass: result.pass, shard: result.shard, token: result.token, digest: result.digest,
                            size: data.count, computeNanoseconds: result.nanoseconds, chunk: chunk))
                    : .resultChunk(token: result.token, offset: offset, chunk: chunk))
        }
    }

    private mutating func failed(_ item: ItemID, _ failure: ShardFailure) {
        guard let lease = leases.finish(item), item.token.epoch == job?.epoch, preparation.isAnnounced(lease.pass)
        else { return }
        send(.shardFailed(pass: lease.pass, shard: lease.shard, token: item.token, failure))
    }

    /// What had begun is not among these: its result is still to come.
    private mutating func giveBack(_ tokens: [LeaseToken]) {
        let held = leases.giveBack(tokens)
        if !held.isEmpty { send(.returned(tokens: held)) }
    }

    // MARK: The exchange at the end of a reduced pass

    private mutating func exchange(_ plan: ExchangePlan, now: Moment) {
        guard preparation.isReady, let pass = preparation.pass, pass.pass == plan.pass, pass.isReduced,
            plan.roster.contains(where: { $0.peer == session.peer })
        else {
            violate(now: now)
            return
        }
        actions.append(.exchange(plan, own: session.peer, setUp: preparation.number))
    }

    private mutating func exchanged(_ index: Int, _ attempt: Int, _ digest: Data) {
        if preparation.isAnnounced(index) { send(.reduced(pass: index, attempt: attempt, digest: digest)) }
    }

    private mutating func exchangeFailed(_ index: Int, _ attempt: Int, _ peers: [PeerID], _ reason: String) {
        guard preparation.isAnnounced(index) else { return }
        send(
            .reductionFailed(
                pass: index, attempt: attempt, peers: Array(peers.prefix(16)), reason: String(reason.prefix(256))))
    }
}
