import ClusterProtocol

/// How a pass is doing.
public struct ClusterProgress: Equatable, Sendable {
    /// The pass's name.
    public var pass: String
    /// Those of the passes before that the pass continues included.
    public var samplesCommitted: Int
    /// Of this pass alone.
    public var shardsCommitted: Int
    /// Where it is known.
    public var shardCount: Int?
    /// Workers whose sessions stand.
    public var workers: Int
    /// Lanes of these workers.
    public var lanes: Int
    /// True of a pass's last report.
    public var isComplete: Bool
}

/// Reports how the pass that runs is doing, at most twice a second and at its end.
struct ProgressMeter {
    private let callback: (@Sendable (ClusterProgress) -> Void)?
    private var current: ClusterProgress?
    /// Of the passes that the current one continues.
    private var samplesBefore = 0
    private var lastReport: Moment?

    init(callback: (@Sendable (ClusterProgress) -> Void)?) {
        self.callback = callback
    }

    mutating func begin(_ start: CoordinatorState.PassStart, shardCount: Int?, samplesBefore: Int) {
        self.samplesBefore = samplesBefore
        if samplesBefore == 0 { lastReport = nil }
        current = ClusterProgress(
            pass: start.name, samplesCommitted: samplesBefore + start.committed.samples,
            shardsCommitted: start.committed.count, shardCount: shardCount, workers: 0, lanes: 0, isComplete: false)
    }

    mutating func report(_ state: CoordinatorState, now: Moment) {
        guard current != nil, let progress = state.passProgress,
            lastReport.map({ now - $0 >= .milliseconds(500) }) ?? true
        else { return }
        lastReport = now
        if let shards = progress.shards { current?.shardCount = shards }
        report(state, samples: progress.committed.samples, shards: progress.committed.count)
    }

    mutating func complete(_ state: CoordinatorState, samples: Int, shards: Int) {
        current?.shardCount = shards
        current?.isComplete = true
        report(state, samples: samples, shards: shards)
        current = nil
    }

    private mutating func report(_ state: CoordinatorState, samples: Int, shards: Int) {
        current?.samplesCommitted = samplesBefore + samples
        current?.shardsCommitted = shards
        current?.workers = state.workersAlive
        current?.lanes = state.lanesAlive
        current.map { callback?($0) }
    }
}
