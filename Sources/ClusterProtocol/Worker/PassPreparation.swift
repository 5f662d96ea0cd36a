import Foundation
import Messaging
import Support

/// A worker's way to being ready for a pass: what it needs is fetched, then the lanes are prepared. Artifacts are kept across
/// passes and sessions.
struct PassPreparation {
    /// What is to be done for the next step.
    enum Demand {
        case fetch(ArtifactID, offset: Int)
        case examine(pass: Int, descriptor: Data, artifacts: [ArtifactID])
        case setUp(WorkerState.SetUp)
    }

    private enum Phase: Equatable {
        /// Which artifacts are needed is nil before it is known.
        case fetching(needed: Set<ArtifactID>?)
        case preparing
        case ready
        case failed
    }

    private let limits: ProtocolLimits
    private(set) var pass: CoordinatorMessage.PassBegin?
    private var phase = Phase.fetching(needed: nil)
    /// Nothing is said about a pass before the coordinator has announced it in this session.
    private(set) var isAnnounced = false
    /// Of the last set-up; work names it, so that nothing is computed with another pass's.
    private(set) var number = 0
    /// What the probe of the pass gave here, once it is ready.
    private(set) var probe: SHA256Digest?
    private var cache: ArtifactCache
    private var fetch: ArtifactFetch?
    private let keeping: WorkerState.ArtifactKeeping

    init(limits: ProtocolLimits, keeping: @escaping WorkerState.ArtifactKeeping) {
        self.limits = limits
        self.keeping = keeping
        cache = ArtifactCache(limit: limits.artifactCacheSize)
    }

    /// Whether leases may come.
    var isReady: Bool { isAnnounced && pass != nil && phase == .ready }

    func isAnnounced(_ index: Int) -> Bool { isAnnounced && pass?.pass == index }

    // MARK: Sessions and passes

    mutating func sessionBegan() { isAnnounced = false }

    mutating func sessionEnded() { fetch?.interrupt() }

    /// A pass is announced, perhaps the same again, whose set-up goes on.
    mutating func begin(_ begin: CoordinatorMessage.PassBegin) {
        isAnnounced = true
        if begin == pass {
            if phase == .failed { phase = .fetching(needed: nil) }
            return
        }
        pass = begin
        phase = .fetching(needed: nil)
        let wanted = ([begin.descriptor] + begin.artifacts).map(\.id)
        // Passes may be shorter than a fetch takes: one of the next pass's artifacts goes on.
        if let id = fetch?.reference.id, !wanted.contains(id) { fetch = nil }
        cache.evict(keeping: wanted)
    }

    /// In whatever session it comes next, the pass begins anew.
    mutating func forgetPass() {
        pass = nil
        isAnnounced = false
    }

    // MARK: Fetching

    /// What is to be done now to come closer to being ready.
    mutating func demands(isa: String?) -> [Demand] {
        guard let pass, isAnnounced, case .fetching(let needed) = phase else { return [] }
        // The descriptor first: it tells what else is needed.
        if let fetches = fetches([pass.descriptor] + pass.artifacts.filter { needed?.contains($0.id) ?? false }) {
            return fetches
        }
        guard let isa, let descriptor = cache[pass.descriptor.id] else { return [] }
        guard let needed else {
            return [.examine(pass: pass.pass, descriptor: descriptor, artifacts: pass.artifacts.map(\.id))]
        }
        phase = .preparing
        number += 1
        var artifacts: [ArtifactID: Data] = [:]
        for reference in pass.artifacts where needed.contains(reference.id) {
            artifacts[reference.id] = cache[reference.id]
        }
        return [
            .setUp(
                WorkerState.SetUp(
                    number: number, pass: pass, isa: isa, descriptor: descriptor, artifacts: artifacts))
        ]
    }

    /// What to ask for of the first artifact that is missing; nil where none is.
    private mutating func fetches(_ wanted: [ArtifactReference]) -> [Demand]? {
        while fetch == nil {
            guard let missing = wanted.first(where: { cache[$0.id] == nil }) else { return nil }
            if missing.size > 0 {
                fetch = ArtifactFetch(missing, into: keeping(missing.size))
            } else {
                cache.insert(Data(), as: missing.id)
            }
        }
        let (window, chunkSize) = (limits.fetchWindow, limits.chunkSize)
        var fetches: [Demand] = []
        while let id = fetch?.reference.id, let offset = fetch?.next(window: window, chunkSize: chunkSize) {
            fetches.append(.fetch(id, offset: offset))
        }
        return fetches
    }

    mutating func needs(_ artifacts: [ArtifactID], for index: Int) {
        if pass?.pass == index, phase == .fetching(needed: nil) { phase = .fetching(needed: Set(artifacts)) }
    }

    /// False where the chunk makes no sense.
    /// - Throws: `FileError` where it cannot be kept; the pass is then not to be had.
    mutating func receive(_ id: ArtifactID, _ offset: Int, _ chunk: Data) throws(FileError) -> Bool {
        // Of a pass that is over meanwhile, whose fetch of the same artifact may have come to another place.
        guard fetch?.reference.id == id, fetch?.data.count == offset else { return true }
        do throws(FileError) {
            guard try fetch?.data.append(chunk, at: offset) == true else { return false }
            if fetch?.isWhole == true, var done = fetch.take() { cache.insert(try done.data.take(), as: id) }
            return true
        } catch {
            fetch = nil
            phase = .failed
            throw error
        }
    }

    // MARK: Setting up

    /// False where it is not the set-up that is waited for.
    mutating func setUpDone(_ number: Int, probe: SHA256Digest?) -> Bool {
        guard setUpEnded(number, .ready) else { return false }
        self.probe = probe
        return true
    }

    /// False where it is not the set-up that is waited for.
    mutating func setUpFailed(_ number: Int) -> Bool { setUpEnded(number, .failed) }

    private mutating func setUpEnded(_ number: Int, _ end: Phase) -> Bool {
        guard pass != nil, number == self.number, phase == .preparing else { return false }
        phase = end
        return true
    }
}
