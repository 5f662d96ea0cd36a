import ClusterProtocol
import Foundation
import GRDB

/// A journal as `quantsim inspect` shows it.
public struct JournalSummary: Equatable, Sendable {
    /// A pass of the job.
    public struct Pass: Equatable, Sendable {
        /// Among the job's passes, from 0.
        public var index: Int
        /// As described.
        public var name: String
        /// Whether all of its shards are committed.
        public var isFinished: Bool
        /// Committed.
        public var samples: Int
        /// Committed.
        public var shards: Int
        /// Computed for so long, over all lives of the coordinator.
        public var seconds: Double
        /// Attempts that failed and were repeated, of a pass that is finished.
        public var failedAttempts: Int
        /// In bytes.
        public var stateSize: Int
    }

    /// The job's name.
    public var job: String
    /// Lives of the coordinator so far.
    public var epoch: Int
    /// In the order of their indices.
    public var passes: [Pass]

    /// Reads a journal without changing it, also while its coordinator runs.
    ///
    /// - Throws: `ClusterError` `.journal`, `.unusableJournal`.
    public init(readingFrom path: String) throws {
        try Journal.checkIsJournal(path)
        self = try Journal.guarding(path) {
            let database = try DatabaseQueue(path: path, configuration: Journal.configuration(readonly: true))
            defer { try? database.close() }
            return try database.read { db in
                let job = try JournalRecords.job(db)
                return JournalSummary(
                    job: job.id, epoch: Int(job.epoch),
                    passes: try JournalRecords.passes(db).map { record in
                        let pass = record.state
                        return Pass(
                            index: record.index, name: pass.name, isFinished: pass.isFinished, samples: pass.samples,
                            shards: pass.shards, seconds: pass.seconds, failedAttempts: pass.failedAttempts,
                            stateSize: pass.reducerState?.count ?? 0)
                    })
            }
        }
    }

    private init(job: String, epoch: Int, passes: [Pass]) {
        self.job = job
        self.epoch = epoch
        self.passes = passes
    }
}
