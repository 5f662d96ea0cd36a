import Cluster
import Synchronization

/// Shows the coordinator's progress.
final class ProgressMonitor: Sendable {
    private let display: ProgressDisplay
    private let most = Mutex(0)

    init(_ display: ProgressDisplay) {
        self.display = display
    }

    /// The most workers that were there at once.
    var mostWorkers: Int { most.withLock(\.self) }

    func take(_ progress: ClusterProgress) {
        most.withLock { $0 = max($0, progress.workers) }
        display.update(done: progress.samplesCommitted, workers: progress.workers)
    }
}
