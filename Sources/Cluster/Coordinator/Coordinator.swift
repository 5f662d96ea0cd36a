import ClusterProtocol
import Foundation
import Logging
import Messaging
import Support
import Synchronization

/// The coordinator of one job: binds the endpoint that workers connect to and runs the job's passes one after another.
/// Its network thread answers workers all the time, also between passes.
public final class Coordinator: Sendable {
    private let configuration: CoordinatorConfiguration
    private let journal: Journal?
    private let probes: ProbeBook
    private let inbox = Inbox<CoordinatorLoop.Input>()
    private let outputs = Mailbox<CoordinatorLoop.Output>()
    private let thread: NamedThread
    private let shared = Mutex(Shared())

    private struct Shared {
        var nextPass = 0
        var nextJournaledPass = 0
        var isRunning = false
        var isClosed = false
        /// A job that has failed does not go on.
        var failure: ClusterError?
        var artifacts: Set<ArtifactID> = []
        /// What goes with an artifact.
        var parts: [ArtifactID: ArtifactID] = [:]
    }

    /// With the port that the system chose, where it was left to it.
    public let boundEndpoint: String

    /// What workers may connect to, the likeliest first; those elsewhere too, unless it is bound for this machine alone.
    public var endpointsForWorkers: [String] { OwnAddresses.endpoints(reaching: boundEndpoint) }

    /// Opens the journal, binds the endpoint and starts the network thread.
    ///
    /// - Throws: `ClusterError` `.journal`, `.unusableJournal`, `.otherJob`, `.endpoint`, `.mistakenEndpoint`.
    public init(configuration: CoordinatorConfiguration) throws {
        self.configuration = configuration
        journal = try configuration.journalPath.map { path in
            try Journal(path: path, fingerprint: configuration.fingerprint, resume: configuration.resume)
        }
        probes = try ProbeBook(journal)
        let identity = CoordinatorState.Identity(
            job: journal?.job ?? UUID().uuidString.lowercased(), epoch: journal?.epoch ?? 1,
            library: configuration.library, isa: configuration.isa)
        let started = Mailbox<Result<String, any Error>>()
        thread = NamedThread("quantsim.coordinator") { [inbox, outputs] in
            do {
                let loop = try CoordinatorLoop(
                    configuration: configuration, identity: identity, inbox: inbox, outputs: outputs)
                started.put(.success(loop.boundEndpoint))
                loop.run()
            } catch let error as ZeroMQError {
                started.put(.failure(ClusterError(error, endpoint: configuration.endpoint)))
            } catch {
                started.put(.failure(error))
            }
        }
        guard let result = started.takeAll(timeout: .seconds(30)).first else {
            throw ClusterError(.endpoint, expected: configuration.endpoint, found: "no answer")
        }
        boundEndpoint = try result.get()
    }

    deinit {
        inbox.put(.close)
    }

    /// Makes bytes available to workers, which fetch them once and keep them across passes.
    /// - Parameter part: bytes that go with them wherever they are needed, and their digest.
    @discardableResult
    public func addArtifact(
        _ data: Data, with part: (id: ArtifactID, content: any ArtifactContent)? = nil
    ) -> ArtifactID {
        let id = SHA256Digest(of: data)
        let new: [(ArtifactID, any ArtifactContent)] = shared.withLock { shared in
            shared.parts[id] = part?.id
            return ([(id, data)] + (part.map { [$0] } ?? [])).filter { shared.artifacts.insert($0.0).inserted }
        }
        for (id, content) in new { inbox.put(.event(.artifactAdded(id, content))) }
        return id
    }

    /// Forgets an artifact that no later pass uses, and its part where no other artifact has it.
    public func removeArtifact(_ id: ArtifactID) {
        let gone = shared.withLock { shared in
            let part = shared.parts.removeValue(forKey: id)
            let isShared = shared.parts.values.contains { $0 == part }
            return ([id] + (isShared ? [] : [part].compactMap(\.self))).filter { shared.artifacts.remove($0) != nil }
        }
        for id in gone { inbox.put(.event(.artifactRemoved(id))) }
    }

    /// Runs a pass to its end, on the calling thread, which must not be one of Swift's pool: it blocks, merges and
    /// commits. Passes of a resumed job that were finished before return at once.
    ///
    /// - Throws: `ClusterError`, or what the source or the reducer throws.
    public func run(
        pass description: PassDescription, source: sending any ShardSource, reducer: any ResultReducer
    ) throws -> PassOutcome {
        precondition(!description.isReduced || !description.isJournaled, "a reduced pass cannot be journaled")
        let (index, journaledIndex) = shared.withLock { shared in
            precondition(!shared.isRunning, "a pass was begun while another runs")
            shared.isRunning = true
            defer {
                shared.nextPass += 1
                if description.isJournaled { shared.nextJournaledPass += 1 }
            }
            return (shared.nextPass, shared.nextJournaledPass)
        }
        defer { shared.withLock { $0.isRunning = false } }
        if let failure = shared.withLock({ $0.failure }) { throw failure }
        if shared.withLock({ $0.isClosed }) { throw ClusterError(.closed, pass: description.name) }
        var description = description
        let parts = shared.withLock { shared in description.artifacts.compactMap { shared.parts[$0] } }
        for part in parts where !description.artifacts.contains(part) { description.artifacts.append(part) }
        let run = try PassRun(
            index: index, journaledIndex: journaledIndex, description: description, reducer: reducer,
            journal: description.isJournaled ? journal : nil, inbox: inbox, outputs: outputs,
            commitInterval: configuration.commitInterval, probes: probes)
        do {
            if let outcome = try run.outcomeFromJournal() { return outcome }
            return try run.execute(source: source)
        } catch let error as ClusterError where error.code.endsPassOnly {
            throw error
        } catch {
            // Workers are told, whatever it was.
            let failure =
                error as? ClusterError
                ?? ClusterError(
                    configuration.classify(error), pass: description.name, found: "\(error)")
            inbox.put(.event(.failed(failure)))
            shared.withLock { $0.failure = failure }
            throw error
        }
    }

    /// Ends the job with an error: the pass that runs throws it, and so do those that follow. From any thread.
    public func fail(_ error: ClusterError) {
        shared.withLock { $0.failure = $0.failure ?? error }
        inbox.put(.event(.failed(error)))
        outputs.put(.failed(error))
    }

    /// Tells the workers that the job is over, waits for their goodbyes (2 s at most) and closes.
    public func finish() {
        guard
            !shared.withLock({ shared in
                defer { shared.isClosed = true }
                return shared.isClosed
            })
        else { return }
        inbox.put(.event(.finish))
        thread.join(timeout: .seconds(10))
        journal?.close()
    }

    /// Closes at once, as a crash would, for a job that is to be resumed later: workers are told nothing and wait for
    /// another coordinator. A pass that runs ends with `ClusterError` `.closed`. From any thread but that of `run`.
    public func suspend() {
        guard
            !shared.withLock({ shared in
                defer { shared.isClosed = true }
                return shared.isClosed
            })
        else { return }
        inbox.put(.close)
        thread.join(timeout: .seconds(10))
    }
}

/// What a coordinator needs to know of its job.
public struct CoordinatorConfiguration: Sendable {
    /// What the coordinator binds: `tcp://host:port` (port `*` lets the system choose, host `*` all interfaces) or
    /// `ipc://path`.
    public var endpoint: String
    /// SQLite file; without one, a coordinator that dies takes its job with it.
    public var journalPath: String?
    /// Continue the journal's job, where it exists. Otherwise an existing journal is replaced.
    public var resume = false
    /// Of everything that the job's results depend on: a journal with another fingerprint is not resumed.
    public var fingerprint = Data()
    /// What every worker must compute with; compared as a whole.
    public var library: String
    /// The one instruction set that all workers are pinned to.
    public var isa: String
    /// Times and sizes of the protocol; workers are told those that they must agree on.
    public var limits = ProtocolLimits()
    /// Where the coordinator tells what happens.
    public var logger = Logger(label: "quantsim.coordinator")
    /// Called on the coordinator's own thread, about twice a second and at a pass's ends; it must not block.
    public var progress: (@Sendable (ClusterProgress) -> Void)?
    /// What workers are told of an error of the source or the reducer: `callback`, `unusableJob` or `hinderedJob`.
    public var classify: @Sendable (any Error) -> ClusterError.Code = { _ in .callback }
    /// The least time between two commits. Results that arrive in between share one transaction.
    public var commitInterval: Duration = .milliseconds(50)

    /// A coordinator without a journal, with the usual limits.
    public init(endpoint: String, library: String, isa: String) {
        self.endpoint = endpoint
        self.library = library
        self.isa = isa
    }
}
