import Cluster
import ClusterProtocol
import Foundation
import Messaging
import Support
import Synchronization
import Testing

/// Workers whose machines compute other bits take no part, whoever comes first.
@Suite(.serialized) struct ProbeTests {
    private let alice = PeerID(worker: "alice", incarnation: 1)
    private let bob = PeerID(worker: "bob", incarnation: 1)
    private static let subject = SHA256Digest(of: Data("model".utf8))
    private let ours = SHA256Digest(of: Data("our bits".utf8))
    private let others = SHA256Digest(of: Data("other bits".utf8))

    private func kept(_ actions: [CoordinatorState.Action]) -> [ProbeAnswer] {
        actions.compactMap { if case .keepProbe(let answer) = $0 { answer } else { nil } }
    }

    @Test func theFirstAnswerIsKeptAndAnotherRefused() {
        var script = CoordinatorScript()
        _ = script.joins(alice, machine: "small caches")
        _ = script.joins(bob, machine: "large caches")
        _ = script.begins(shards: 2, probe: Probe(subject: Self.subject))
        let first = script.says(alice, .passReady(pass: 0, probe: ours))
        #expect(
            kept(first) == [ProbeAnswer(subject: Self.subject, digest: ours, machine: "h (small caches)")])
        let second = script.says(bob, .passReady(pass: 0, probe: others))
        #expect(kept(second).isEmpty)
        #expect(
            second.messages(to: bob) == [
                .refused(
                    Refusal(
                        .probe, expected: "\(ours.description.prefix(8)) as on h (small caches)",
                        found: "\(others.description.prefix(8)) as on h (large caches)"))
            ])
        #expect(script.state.workersAlive == 1)
        // Nothing is leased to it, nor is it let in again as another incarnation.
        #expect(script.says(bob, .request(pass: 0, credits: 2)).leases(to: bob).isEmpty)
        let again = PeerID(worker: "bob", incarnation: 2)
        #expect(script.joins(again).messages(to: again) == [.shutdown(reason: .expelled, detail: "")])
        #expect(script.says(alice, .request(pass: 0, credits: 2)).leases(to: alice).count == 2)
    }

    @Test func anAnswerOfAFormerLifeBindsTheFirst() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        let known = ProbeAnswer(subject: Self.subject, digest: ours, machine: "before")
        _ = script.begins(shards: 1, probe: Probe(subject: Self.subject, answer: known))
        let actions = script.says(alice, .passReady(pass: 0, probe: others))
        #expect(kept(actions).isEmpty && script.state.workersAlive == 0)
    }

    @Test func noAnswerIsRefusedAndNoneWantedIsNone() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 1, probe: Probe(subject: Self.subject))
        _ = script.says(alice, .passReady(pass: 0, probe: nil))
        #expect(script.state.workersAlive == 0)
        var other = CoordinatorScript()
        _ = other.joins(alice)
        _ = other.begins(shards: 1)
        #expect(kept(other.says(alice, .passReady(pass: 0, probe: nil))).isEmpty && other.state.workersAlive == 1)
    }

    private struct ProbingFactory: PassExecutorFactory {
        let answer: SHA256Digest

        func makeExecutor(
            descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data
        ) throws -> any ShardExecutor {
            HistogramExecutor { _ in }
        }

        func probe(descriptor: Data, artifacts: (ArtifactID) throws -> Data) throws -> SHA256Digest? { answer }
    }

    /// Over sockets, with a journal: what the first life's worker came to binds the second's.
    @Test func aResumedJobTakesNoOtherMachine() async throws {
        let (ours, others) = (ours, others)
        try await onThread {
            let path = FileManager.default.temporaryDirectory
                .appendingPathComponent("probe-\(UUID().uuidString).sqlite").path
            defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
            func run(_ coordinator: Coordinator) throws -> PassOutcome {
                try coordinator.run(
                    pass: PassDescription(
                        name: "count", descriptor: Data("toy".utf8), isJournaled: false, probe: Self.subject),
                    source: RandomShards(10, payloadSize: 100), reducer: ByteHistogram())
            }
            var configuration = Toy.coordinator()
            configuration.journalPath = path
            let first = try Coordinator(configuration: configuration)
            let worker = RunningWorker(Toy.worker(first.boundEndpoint), factory: ProbingFactory(answer: ours))
            let expected = try run(first)
            first.finish()
            #expect(try worker.exit() == .finished)

            configuration.resume = true
            let second = try Coordinator(configuration: configuration)
            let odd = RunningWorker(Toy.worker(second.boundEndpoint), factory: ProbingFactory(answer: others))
            // Alone with the job, it would compute all of it; the other comes when it is gone.
            let end = Mutex<(exit: WorkerExit?, late: RunningWorker?)>((nil, nil))
            Thread.detachNewThread {
                let exit = try? odd.exit()
                let late = RunningWorker(
                    Toy.worker(second.boundEndpoint), factory: ProbingFactory(answer: ours))
                end.withLock { $0 = (exit, late) }
            }
            #expect(try run(second).state == expected.state)
            let (exit, late) = end.withLock { $0 }
            guard case .refused(let refusal) = exit else {
                Issue.record("the other machine was not refused: \(String(describing: exit))")
                return
            }
            #expect(refusal.code == .probe && refusal.expected.hasPrefix(String(ours.description.prefix(8))))
            second.finish()
            #expect(try late?.exit() == .finished)
        }
    }
}
