import ClusterProtocol
import Foundation
import Messaging
import Support

/// One pass on the thread that runs it: merges results as they arrive and commits them together.
final class PassRun {
    /// Among all passes of this life, and among those of the job's journal.
    private let index: Int
    private let journaledIndex: Int
    private let description: PassDescription
    private var reducer: any ResultReducer
    private let journal: Journal?
    private let inbox: Inbox<CoordinatorLoop.Input>
    private let outputs: Mailbox<CoordinatorLoop.Output>
    private let commitInterval: Duration
    private let probes: ProbeBook

    private var committed = CommittedShards()
    private var secondsBefore = 0.0
    private var attemptsBefore = 0
    /// Committed shards whose payloads are compared with what they were, by index.
    private var readAgain: [Int: SHA256Digest] = [:]
    private static let shardsReadAgain = 16
    /// Merged and not committed.
    private var batch: [Journal.CommittedShard] = []
    private var elapsed: Duration = .zero
    private var lastCommit = Moment(nanoseconds: 0)
    private var pause: Duration

    init(
        index: Int, journaledIndex: Int, description: PassDescription, reducer: any ResultReducer, journal: Journal?,
        inbox: Inbox<CoordinatorLoop.Input>, outputs: Mailbox<CoordinatorLoop.Output>, commitInterval: Duration,
        probes: ProbeBook
    ) throws {
        self.index = index
        self.journaledIndex = journaledIndex
        self.description = description
        self.reducer = reducer
        self.journal = journal
        self.inbox = inbox
        self.outputs = outputs
        self.commitInterval = commitInterval
        self.probes = probes
        pause = commitInterval
    }

    /// The outcome of a pass that was finished in a former life; also takes up one that was begun.
    func outcomeFromJournal() throws -> PassOutcome? {
        guard let journal else { return nil }
        let digest = SHA256Digest(of: description.descriptor)
        guard let state = try journal.pass(journaledIndex) else {
            try journal.begin(pass: journaledIndex, name: description.name, descriptor: digest)
            return nil
        }
        guard state.name == description.name, state.descriptor == digest else {
            throw ClusterError(.otherJob, pass: description.name, expected: state.name, found: description.name)
        }
        if let bytes = state.reducerState, !state.isFinished { try reducer.restore(bytes) }
        if state.isFinished {
            return PassOutcome(
                state: state.reducerState ?? Data(), samples: state.samples, shards: state.shards,
                seconds: state.seconds, failedAttempts: state.failedAttempts, isFromJournal: true)
        }
        let shards = try journal.committedShards(ofPass: journaledIndex)
        for shard in shards { committed.insert(shard.shard, digest: shard.digest, samples: shard.samples) }
        // Some of them are read again, from the first to the last: they must be what the workers were given.
        for place in 0..<min(Self.shardsReadAgain, shards.count) {
            let shard = shards[place * (shards.count - 1) / max(Self.shardsReadAgain - 1, 1)]
            readAgain[shard.shard] = shard.payload
        }
        secondsBefore = state.seconds
        attemptsBefore = state.failedAttempts
        return nil
    }

    func execute(source: sending any ShardSource) throws -> PassOutcome {
        let requests = Mailbox<Int>()
        let reader = ShardReader.start(
            source: source, committed: committed, readAgain: readAgain, requests: requests, inbox: inbox,
            failures: outputs)
        defer {
            requests.put(ShardReader.stop)
            reader.join(timeout: .seconds(10))
        }
        inbox.put(
            .passBegan(
                CoordinatorState.PassStart(
                    pass: index, name: description.name, descriptor: description.descriptor,
                    artifacts: description.artifacts, committed: committed, isJournaled: description.isJournaled,
                    isReduced: description.isReduced, probe: description.probe.map { probes.probe(of: $0) }),
                shardCount: description.shardCount, samplesBefore: description.samplesBefore, reader: requests))
        while true {
            var mustCommit = false
            let wait = batch.isEmpty ? Duration.seconds(1) : lastCommit + pause - .now
            for output in outputs.takeAll(timeout: wait) {
                switch output {
                case .merge(let result): try merge(result)
                case .flush: mustCommit = true
                case .keepProbe(let answer): try probes.keep(answer)
                case .passCompleted(let completion): return try complete(completion)
                case .passEnded(let error): throw error
                case .failed(let error): throw error
                case .sourceFailed(let error): throw error
                }
            }
            if mustCommit || Moment.now - lastCommit >= pause { try commit() }
        }
    }

    private func merge(_ result: CoordinatorState.ReceivedResult) throws {
        // Of the pass before, whose repetitions may still come in.
        guard result.pass == index else { return }
        guard SHA256Digest(of: result.result) == result.digest else {
            inbox.put(.event(.resultRejected(shard: result.shard, reason: "its bytes are not those of its digest")))
            return
        }
        do {
            try reducer.merge(shard: result.shard, samples: result.sampleCount, result: result.result)
        } catch let error as UnusableResult {
            inbox.put(.event(.resultRejected(shard: result.shard, reason: error.reason)))
            return
        }
        batch.append(
            Journal.CommittedShard(
                shard: result.shard, digest: result.digest, samples: result.sampleCount,
                payload: SHA256Digest(of: journal == nil ? Data() : result.payload)))
        elapsed = result.elapsed
    }

    /// Durable first, acknowledged after.
    private func commit() throws {
        guard !batch.isEmpty else { return }
        let began = Moment.now
        if let journal {
            try journal.commit(
                pass: journaledIndex, shards: batch, reducerState: reducer.state(),
                seconds: secondsBefore + elapsed.seconds)
        }
        inbox.put(.event(.committed(batch.map(\.shard))))
        batch = []
        lastCommit = .now
        // Committing takes at most a fiftieth of the time, however large the state is, since a worker may want this core.
        pause = min(max(commitInterval, (lastCommit - began) * 50), .seconds(2))
    }

    private func complete(_ completion: CoordinatorState.PassCompletion) throws -> PassOutcome {
        let state = try reducer.state()
        let attempts = attemptsBefore + completion.failedAttempts
        let total = secondsBefore + completion.seconds
        try journal?.finish(pass: journaledIndex, reducerState: state, seconds: total, failedAttempts: attempts)
        return PassOutcome(
            state: state, samples: completion.samples, shards: completion.shards, seconds: total,
            failedAttempts: attempts, digest: completion.digest, workersLackingState: completion.workersLackingState)
    }
}
