import Messaging

/// Why a worker's run is over.
public enum WorkerExit: Equatable, Sendable {
    /// The job is done.
    case finished
    /// `stop()` was called; leases were finished or returned.
    case drained
    /// Permanent: this worker cannot take part in this job.
    case refused(Refusal)
    /// The job failed; the coordinator's error code.
    case jobFailed(String)
    /// Temporary: the coordinator wants this process replaced.
    case expelled(String)
    /// Temporary: no coordinator for as long as patience lasts.
    case coordinatorLost
}
