import Foundation
import Messaging

/// Getting ready for a pass: fetching what it needs, then preparing the lanes.
extension WorkerState {
    mutating func begin(_ begin: CoordinatorMessage.PassBegin) {
        creditsOut = 0
        session.isPassAnnounced = true
        let isSame = begin == pass
        // Results of another pass are committed, or else it would not be over.
        if !isSame {
            dropResults { $0.pass != begin.pass }
            let tokens = leases.keys.sorted()
            if !tokens.isEmpty { actions.append(.cancel(tokens)) }
            if pass?.isReduced ?? false { actions.append(.endExchange) }
            pass = begin
            setUpPhase = .fetching
            needed = nil
            let wanted = ([begin.descriptor] + begin.artifacts).map(\.id)
            // Passes may be shorter than a fetch takes: one of the next pass's artifacts goes on.
            if let id = fetch?.reference.id, !wanted.contains(id) { fetch = nil }
            cache.evict(keeping: wanted)
        }
        switch setUpPhase {
        case .fetching: fetchNext()
        case .preparing: break
        case .failed:
            setUpPhase = .fetching
            needed = nil
            fetchNext()
        case .ready:
            send(.passReady(pass: begin.pass))
            for (_, result) in results.sorted(by: { $0.key < $1.key }) { send(result) }
        }
    }

    private mutating func fetchNext() {
        guard let pass, session.isPassAnnounced, setUpPhase == .fetching else { return }
        // The descriptor first: it tells what else is needed.
        let wanted = [pass.descriptor] + pass.artifacts.filter { needed?.contains($0.id) ?? false }
        while true {
            if fetch == nil {
                guard let missing = wanted.first(where: { cache[$0.id] == nil }) else { break }
                guard missing.size > 0 else {
                    cache.insert(Data(), as: missing.id)
                    continue
                }
                fetch = ArtifactFetch(missing)
            }
            while let offset = fetch?.next(window: limits.fetchWindow, chunkSize: limits.chunkSize),
                let id = fetch?.reference.id
            {
                send(.fetch(artifact: id, offset: offset))
            }
            return
        }
        guard let job, let descriptor = cache[pass.descriptor.id] else { return }
        guard let needed else {
            actions.append(
                .examine(pass: pass.pass, descriptor: descriptor, artifacts: pass.artifacts.map(\.id)))
            return
        }
        setUpPhase = .preparing
        setUpNumber += 1
        var artifacts: [ArtifactID: Data] = [:]
        for reference in pass.artifacts where needed.contains(reference.id) {
            artifacts[reference.id] = cache[reference.id]
        }
        actions.append(
            .setUp(
                SetUp(number: setUpNumber, pass: pass, isa: job.isa, descriptor: descriptor, artifacts: artifacts)))
    }

    mutating func needs(_ artifacts: [ArtifactID], for index: Int) {
        guard let pass, pass.pass == index, needed == nil, setUpPhase == .fetching else { return }
        needed = Set(artifacts)
        fetchNext()
    }

    mutating func receiveArtifact(_ id: ArtifactID, _ offset: Int, _ chunk: Data, now: Moment) {
        // Of a pass that is over meanwhile, whose fetch of the same artifact may have come to another place.
        guard fetch?.reference.id == id, fetch?.data.count == offset else { return }
        guard let size = fetch?.reference.size, offset + chunk.count <= size, !chunk.isEmpty else {
            loseSession("protocol violation", now: now)
            return
        }
        fetch?.data.append(chunk)
        if let done = fetch, done.data.count == size {
            fetch = nil
            cache.insert(done.data, as: id)
        }
        fetchNext()
    }

    mutating func setUpDone(_ number: Int) {
        guard let pass, number == setUpNumber, setUpPhase == .preparing else { return }
        setUpPhase = .ready
        guard session.isPassAnnounced else { return }
        send(.passReady(pass: pass.pass))
        for (_, result) in results.sorted(by: { $0.key < $1.key }) { send(result) }
    }

    mutating func setUpFailed(_ number: Int, _ failure: ShardFailure) {
        guard let pass, number == setUpNumber, setUpPhase == .preparing else { return }
        setUpPhase = .failed
        log(LogEvent(.error, "pass set-up failed", ["pass.name": pass.name, "failure.code": failure.code]))
        if session.isPassAnnounced { send(.passFailed(pass: pass.pass, failure)) }
    }
}
