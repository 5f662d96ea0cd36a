import Cluster
import ClusterProtocol
import Foundation
import Glibc
import Messaging
import Support
import Synchronization
import Testing

@Suite(.serialized) struct JournalTests {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString).sqlite").path

    private func digest(_ text: String) -> SHA256Digest { SHA256Digest(of: Data(text.utf8)) }

    private func open(resume: Bool = true, fingerprint: String = "job") throws -> Journal {
        try Journal(path: path, fingerprint: Data(fingerprint.utf8), resume: resume)
    }

    @Test func whatIsCommittedIsThereInTheNextLife() throws {
        var journal = try open()
        let job = journal.job
        #expect(journal.epoch == 1)
        let probe = ProbeAnswer(subject: digest("model"), digest: digest("bits"), machine: "here")
        try journal.keep(probe)
        try journal.begin(pass: 0, name: "p", descriptor: digest("d"))
        let shards = [
            Journal.CommittedShard(shard: 4, digest: digest("a"), samples: 3, payload: digest("p")),
            Journal.CommittedShard(shard: 0, digest: digest("b"), samples: 2, payload: digest("p")),
        ]
        try journal.commit(pass: 0, shards: shards, reducerState: Data("one".utf8), seconds: 1.5)
        // Not closed: as a crash would leave it.
        journal = try open()
        #expect(journal.job == job)
        #expect(journal.epoch == 2)
        #expect(try journal.probes() == [probe])
        let state = try #require(try journal.pass(0))
        #expect(state.name == "p" && state.descriptor == digest("d") && !state.isFinished)
        #expect(
            state.reducerState == Data("one".utf8) && state.samples == 5 && state.shards == 2 && state.seconds == 1.5)
        #expect(try journal.committedShards(ofPass: 0) == shards.reversed())
        try journal.finish(pass: 0, reducerState: Data("two".utf8), seconds: 2, failedAttempts: 1)
        #expect(try journal.pass(0)?.isFinished == true)
        #expect(try journal.committedShards(ofPass: 0).isEmpty)
        let summary = try JournalSummary(readingFrom: path)
        #expect(summary.job == job && summary.epoch == 2)
        let pass = try #require(summary.passes.first)
        #expect(summary.passes.count == 1 && pass.index == 0 && pass.name == "p" && pass.isFinished)
        #expect(pass.samples == 5 && pass.shards == 2 && pass.seconds == 2 && pass.failedAttempts == 1)
        #expect(pass.stateSize == 3)
    }

    @Test func aShardIsCommittedOnceOrTheWholeTransactionFails() throws {
        let journal = try open()
        try journal.begin(pass: 0, name: "p", descriptor: digest("d"))
        let shard = Journal.CommittedShard(shard: 1, digest: digest("a"), samples: 3, payload: digest("p"))
        try journal.commit(pass: 0, shards: [shard], reducerState: Data("one".utf8), seconds: 1)
        let other = Journal.CommittedShard(shard: 0, digest: digest("a"), samples: 3, payload: digest("p"))
        #expect(throws: ClusterError.self) {
            try journal.commit(pass: 0, shards: [other, shard], reducerState: Data("two".utf8), seconds: 2)
        }
        #expect(try journal.pass(0)?.reducerState == Data("one".utf8))
        #expect(try journal.committedShards(ofPass: 0) == [shard])
    }

    @Test func anotherJobsJournalIsNotResumed() throws {
        _ = try open(fingerprint: "one")
        let error = #expect(throws: ClusterError.self) { try open(fingerprint: "two") }
        #expect(error?.code == .otherJob)
        // Replacing is what not resuming asks for.
        let fresh = try open(resume: false, fingerprint: "two")
        #expect(fresh.epoch == 1)
    }

    @Test func anOldCoordinatorCannotWriteBehindItsSuccessor() throws {
        let old = try open()
        try old.begin(pass: 0, name: "p", descriptor: digest("d"))
        _ = try open()
        let error = #expect(throws: ClusterError.self) {
            try old.commit(pass: 0, shards: [], reducerState: Data(), seconds: 0)
        }
        #expect(error?.code == .superseded)
    }

    @Test(arguments: [true, false]) func aFileThatIsNoJournalIsLeftAlone(resume: Bool) throws {
        let precious = Data("my thesis".utf8)
        try precious.write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: ClusterError.self) { try open(resume: resume) }
        #expect(error?.code == .unusableJournal)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == precious)
        #expect(throws: ClusterError.self) { try JournalSummary(readingFrom: path) }
    }

    @Test func aJournalThatCannotBeWrittenIsNamed() throws {
        let error = #expect(throws: ClusterError.self) {
            try Journal(path: "/nowhere/journal.sqlite", fingerprint: Data(), resume: false)
        }
        #expect(error?.code == .journal)
        #expect(error?.expected == "/nowhere/journal.sqlite")
    }

    /// Has the calling thread open and remove files as another user.
    /// - Returns: the user it was before.
    private static func becomeForFiles(_ user: uid_t) -> uid_t {
        typealias Call = @convention(c) (uid_t) -> CInt
        guard let call = dlsym(nil, "setfsuid") else { return user }
        return uid_t(unsafeBitCast(call, to: Call.self)(user))
    }

    /// In a folder that nothing may be removed from, the former job would be continued.
    @Test func aFormerJournalThatCannotBeRemovedIsNotContinued() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let path = folder.appendingPathComponent("journal.sqlite").path
        let former = try Journal(path: path, fingerprint: Data("job".utf8), resume: false)
        // Open, as a crash leaves it: its other files are there and need not be made.
        for suffix in ["", "-wal", "-shm"] { #expect(chmod(path + suffix, 0o666) == 0) }
        #expect(chmod(folder.path, 0o555) == 0)
        let error = try await onThread {
            // A superuser may remove all files, so this thread touches them as nobody.
            let user = Self.becomeForFiles(65534)
            defer { _ = Self.becomeForFiles(user) }
            return #expect(throws: ClusterError.self) {
                try Journal(path: path, fingerprint: Data("job".utf8), resume: false)
            }
        }
        #expect(error?.code == .journal && error?.found?.contains(path) == true)
        #expect(chmod(folder.path, 0o755) == 0)
        #expect(try JournalSummary(readingFrom: path).epoch == 1)
        former.close()
        try FileManager.default.removeItem(at: folder)
    }

    /// The coordinator dies in mid-pass; another takes over on the same endpoint, and the same workers go on with it.
    @Test func aJobGoesOnAfterItsCoordinatorDied() async throws {
        let path = path
        try await onThread {
            let endpoint = "ipc://\(path).ipc"
            var configuration = Toy.coordinator(endpoint)
            configuration.journalPath = path
            configuration.fingerprint = Data("job".utf8)
            configuration.resume = true
            configuration.commitInterval = .milliseconds(1)
            var limits = ProtocolLimits()
            limits.heartbeatInterval = .milliseconds(200)
            // Not so short that a busy machine ends a session just when the job does.
            limits.heartbeatTimeout = .seconds(2)
            configuration.limits = limits
            let computed = Mutex<[Int: Int]>([:])
            // Workers that computed in the present life.
            let present = Mutex<Set<Int>>([])
            var workerConfiguration = Toy.worker(endpoint)
            workerConfiguration.limits = limits
            let workers = (0..<2).map { worker in
                let factory = HistogramFactory(behaviour: { shard in
                    computed.withLock { $0[shard, default: 0] += 1 }
                    present.withLock { _ = $0.insert(worker) }
                    usleep(3000)
                })
                return RunningWorker(workerConfiguration, factory: factory)
            }
            let first = PassDescription(name: "first", descriptor: Data("1".utf8))
            let second = PassDescription(name: "second", descriptor: Data("2".utf8))
            for life in 0..<4 {
                let coordinator = try Coordinator(configuration: configuration)
                let one = try coordinator.run(
                    pass: first, source: RandomShards(10, payloadSize: 50), reducer: ByteHistogram())
                #expect(one.state == RandomShards.expected(10, payloadSize: 50))
                #expect(one.isFromJournal == (life > 0))
                #expect(one.samples == 30 && one.shards == 10 && one.seconds > 0)
                present.withLock { $0 = [] }
                let read = Mutex(0)
                let source = RandomShards(200, payloadSize: 50) { _ in
                    // A worker that comes when the last life is over would wait for another.
                    for _ in 0..<40 where life == 3 && present.withLock({ $0.count }) < 2 { usleep(5000) }
                    // Dies at another point of each life but the last.
                    if read.withLock({
                        $0 += 1; return $0
                    }) == 50, life < 3 {
                        Thread { coordinator.suspend() }.start()
                        usleep(50000)
                    }
                }
                do {
                    let outcome = try coordinator.run(pass: second, source: source, reducer: ByteHistogram())
                    #expect(life == 3)
                    #expect(outcome.state == RandomShards.expected(200, payloadSize: 50))
                    #expect(outcome.samples == 600 && outcome.shards == 200)
                    coordinator.finish()
                } catch let error as ClusterError {
                    #expect(error.code == .closed && life < 3)
                }
                if life > 0, life < 3 {
                    // Committed shards are skipped, not read.
                    #expect(read.withLock { $0 } < 100)
                }
            }
            for worker in workers {
                let exit = try worker.exit()
                #expect(exit == .finished, "\(String(describing: exit))")
            }
            // At most what was under way in each life is computed again.
            let repeated = computed.withLock { $0.values.reduce(0) { $0 + $1 - 1 } }
            #expect(repeated < 120, "\(repeated) repeated")
        }
    }

    @Test func aChangedPassIsNotResumed() async throws {
        let path = path
        try await onThread {
            var configuration = Toy.coordinator()
            configuration.journalPath = path
            configuration.resume = true
            for name in ["one", "two"] {
                let coordinator = try Coordinator(configuration: configuration)
                let worker = RunningWorker(Toy.worker(coordinator.boundEndpoint))
                do {
                    _ = try coordinator.run(
                        pass: PassDescription(name: name, descriptor: Data()), source: RandomShards(5, payloadSize: 5),
                        reducer: ByteHistogram())
                    #expect(name == "one")
                } catch let error as ClusterError {
                    #expect(name == "two" && error.code == .otherJob)
                }
                coordinator.finish()
                worker.worker.stop()
                #expect(try worker.exit() != nil)
            }
        }
    }
}
