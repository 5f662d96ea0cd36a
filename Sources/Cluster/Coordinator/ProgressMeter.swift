/// Measures a pass for its display: totals, and the rate over the last seconds.
struct ProgressMeter {
    private let callback: (@Sendable (ClusterProgress) -> Void)?
    private var current: ClusterProgress?
    private var samplesAtStart = 0
    /// Of the passes that the current one continues.
    private var samplesBefore = 0
    private var history: [(time: Moment, samples: Int)] = []
    private var lastReport: Moment?

    init(callback: (@Sendable (ClusterProgress) -> Void)?) {
        self.callback = callback
    }

    mutating func begin(_ start: CoordinatorState.PassStart, shardCount: Int?, samplesBefore: Int) {
        samplesAtStart = start.committed.samples
        self.samplesBefore = samplesBefore
        if samplesBefore == 0 {
            history = []
            lastReport = nil
        }
        current = ClusterProgress(
            pass: start.name, samplesCommitted: samplesBefore + start.committed.samples,
            shardsCommitted: start.committed.count,
            shardCount: shardCount, workers: 0, lanes: 0, seconds: 0, samplesPerSecond: 0, recentSamplesPerSecond: 0,
            isComplete: false)
    }

    /// Reports at most twice a second.
    mutating func report(_ state: CoordinatorState, now: Moment) {
        guard current != nil, let pass = state.pass, lastReport.map({ now - $0 >= .milliseconds(500) }) ?? true else {
            return
        }
        lastReport = now
        let seconds = pass.firstLease.map { (now - $0).seconds } ?? 0
        update(state, samples: pass.committed.samples, shards: pass.committed.count, seconds: seconds)
        let samples = samplesBefore + pass.committed.samples
        history.append((now, samples))
        history.removeAll { now - $0.time > .seconds(10) }
        if let first = history.first, now > first.time {
            current?.recentSamplesPerSecond =
                Double(samples - first.samples) / (now - first.time).seconds
        }
        if let total = pass.totalShards { current?.shardCount = total }
        current.map { callback?($0) }
    }

    mutating func complete(_ state: CoordinatorState, samples: Int, shards: Int, seconds: Double, now: Moment) {
        update(state, samples: samples, shards: shards, seconds: seconds)
        current?.shardCount = shards
        current?.isComplete = true
        current.map { callback?($0) }
        current = nil
    }

    private mutating func update(_ state: CoordinatorState, samples: Int, shards: Int, seconds: Double) {
        current?.samplesCommitted = samplesBefore + samples
        current?.shardsCommitted = shards
        current?.workers = state.workersAlive
        current?.lanes = state.lanesAlive
        current?.seconds = seconds
        current?.samplesPerSecond = seconds > 0 ? Double(samples - samplesAtStart) / seconds : 0
    }
}

/// Lets through ten lines a minute: a port scanner must not fill a disk with log lines.
struct LogLimiter {
    private var windowBegan: Moment?
    private var lines = 0

    mutating func allows(_ now: Moment) -> Bool {
        if windowBegan.map({ now - $0 > .seconds(60) }) ?? true {
            windowBegan = now
            lines = 0
        }
        lines += 1
        return lines <= 10
    }
}
