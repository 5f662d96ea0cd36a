import ClusterProtocol
import Foundation
import GRDB
import Messaging
import Support

/// What a coordinator must not forget, in SQLite: which shards are committed and the reducer's state with them, in one
/// transaction. Nothing is acknowledged before it is here. The file stays small: one row a shard of the pass that runs
/// (dropped when it is done) and one state a pass.
///
/// Every record is sealed with a digest of all that it says: shards are chained in the order of their commits, a pass's seal holds
/// its chain and the seal of the pass before. A value that was changed, lost or brought in from elsewhere is refused.
///
/// Not bound to a thread, but one coordinator uses it from one.
package final class Journal: Sendable {
    /// "QSJL": tells our files from other SQLite files, which are never replaced.
    static let applicationID: Int32 = 0x5153_4A4C
    static let version = 3

    /// The job's name, unique among all jobs.
    package let job: String
    /// Lives of the coordinator, this one included.
    package let epoch: UInt32
    private let database: DatabaseQueue

    /// What is known of a pass.
    package struct PassState: Equatable, Sendable {
        /// As described.
        package var name: String
        /// Of the pass's descriptor.
        package var descriptor: SHA256Digest
        /// Whether all of its shards are committed.
        package var isFinished: Bool
        /// Nil before the first commit.
        package var reducerState: Data?
        /// Committed.
        package var samples: Int
        /// Committed.
        package var shards: Int
        /// Computed for so long, over all lives of the coordinator.
        package var seconds: Double
        /// Of a pass that is finished.
        package var failedAttempts: Int
    }

    /// A shard whose result is in the reducer's state.
    package struct CommittedShard: Equatable, Sendable {
        /// The shard's index.
        package var shard: Int
        /// Of the result.
        package var digest: SHA256Digest
        /// Samples of the shard.
        package var samples: Int
        /// Of what the workers were given, to notice data that is another when the pass goes on.
        package var payload: SHA256Digest

        /// A shard of these parts.
        package init(shard: Int, digest: SHA256Digest, samples: Int, payload: SHA256Digest) {
            self.shard = shard
            self.digest = digest
            self.samples = samples
            self.payload = payload
        }
    }

    /// Opens the journal of a job. With `resume` an existing one is continued in its next epoch, otherwise replaced.
    ///
    /// - Parameter fingerprint: of everything that the job's results depend on; a journal with another is refused.
    /// - Throws: `ClusterError` `.journal`, `.unusableJournal`, `.otherJob`.
    package init(path: String, fingerprint: Data, resume: Bool) throws {
        if let kind = FileKind(at: path), kind != .regular {
            throw ClusterError(.unusableJournal, expected: "a journal", found: "\(path), \(kind.rawValue)")
        }
        let exists = ((try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int ?? 0) > 0
        if exists { try Self.checkIsJournal(path, ofAnyVersion: !resume) }
        if exists, !resume {
            // The main file first: without it, the others mean nothing.
            for suffix in ["", "-wal", "-shm"] { try Self.remove(path + suffix) }
        }
        database = try Self.guarding(path) { try DatabaseQueue(path: path, configuration: Self.configuration()) }
        let newJob = UUID().uuidString.lowercased()
        let opened = try Self.guarding(path) { [database] in
            try database.write { db in
                if try !db.tableExists("job") { try Self.create(db, job: newJob, fingerprint: fingerprint) }
                let job = try JournalRecords.job(db)
                guard job.fingerprint == fingerprint else {
                    throw ClusterError(.otherJob, found: path)
                }
                guard job.epoch < .max else {
                    throw ClusterError(
                        .unusableJournal, expected: "fewer lives", found: "\(job.epoch); \(Self.restart)")
                }
                try JournalRecords.write(job.next, db)
                return (job: job.id, epoch: job.epoch + 1)
            }
        }
        job = opened.job
        epoch = opened.epoch
    }

    /// Where a former job's journal stayed, that job would be continued.
    private static func remove(_ path: String) throws {
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw ClusterError(
            .journal, expected: "the former journal removed", found: "\(path): \(String(cString: strerror(errno)))")
    }

    /// The fingerprint of the job that a journal is of; nil where there is no journal.
    /// - Throws: `ClusterError` `.unusableJournal` where the file is no journal, or was changed; `.journal`.
    package static func fingerprint(at path: String) throws -> Data? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        if let kind = FileKind(at: path), kind != .regular {
            throw ClusterError(.unusableJournal, expected: "a journal", found: "\(path), \(kind.rawValue)")
        }
        guard ((try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int ?? 0) > 0 else { return nil }
        try checkIsJournal(path)
        return try guarding(path) {
            let database = try DatabaseQueue(path: path, configuration: configuration(readonly: true))
            defer { try? database.close() }
            return try database.read { db in
                try db.tableExists("job") ? try JournalRecords.job(db).fingerprint : nil
            }
        }
    }

    /// What is known of a pass; nil where it was never begun.
    package func pass(_ index: Int) throws -> PassState? {
        try access { db in try JournalRecords.pass(index, db)?.state }
    }

    /// Records that a pass runs; known passes are left as they are.
    package func begin(pass: Int, name: String, descriptor: SHA256Digest) throws {
        try change { db in
            guard try JournalRecords.pass(pass, db) == nil else { return }
            try JournalRecords.begin(pass, name: name, descriptor: descriptor, db)
        }
    }

    /// Shards of a pass that runs, in the order of their indices.
    /// - Throws: `ClusterError` `.journal`, `.unusableJournal`.
    package func committedShards(ofPass pass: Int) throws -> [CommittedShard] {
        try access { db in
            guard let record = try JournalRecords.pass(pass, db), !record.state.isFinished else { return [] }
            return try JournalRecords.shards(of: record, db).sorted { $0.shard < $1.shard }
        }
    }

    /// The write-ahead step: durable when it returns, all of it or nothing.
    package func commit(
        pass: Int, shards: [CommittedShard], reducerState: Data, seconds: Double
    ) throws {
        try change { db in
            guard var record = try JournalRecords.pass(pass, db) else {
                throw ClusterError(.unusableJournal, expected: "pass \(pass)", found: "none")
            }
            for shard in shards { try JournalRecords.append(shard, to: &record, db) }
            (record.state.reducerState, record.state.seconds) = (reducerState, seconds)
            try JournalRecords.write(record, db)
        }
    }

    /// Marks a pass as done. Its shards' rows have served.
    package func finish(pass: Int, reducerState: Data, seconds: Double, failedAttempts: Int) throws {
        try change { db in
            guard var record = try JournalRecords.pass(pass, db) else {
                throw ClusterError(.unusableJournal, expected: "pass \(pass)", found: "none")
            }
            (record.state.isFinished, record.state.reducerState) = (true, reducerState)
            (record.state.seconds, record.state.failedAttempts) = (seconds, failedAttempts)
            try JournalRecords.write(record, db)
            try db.execute(sql: "DELETE FROM shard WHERE pass = ?", arguments: [pass])
        }
    }

    /// What the job's first workers came to in its probes, by subject.
    /// - Throws: `ClusterError` `.journal`, `.unusableJournal`.
    package func probes() throws -> [ProbeAnswer] {
        try access { db in try JournalRecords.probes(db) }
    }

    /// Durable when it returns, so that results of machines that compute other bits never meet in one job.
    package func keep(_ probe: ProbeAnswer) throws {
        try change { db in try JournalRecords.append(probe, db) }
    }

    /// Closes the file; nothing may be asked of the journal afterwards.
    package func close() {
        try? database.close()
    }

    /// A change by this epoch only: a coordinator that was thought dead must not write behind its successor's back.
    private func change(_ body: (Database) throws -> Void) throws {
        try access { db in
            let found = try UInt32.fetchOne(db, sql: "SELECT epoch FROM job")
            guard found == epoch else {
                throw ClusterError(.superseded, expected: "\(epoch)", found: found.map { "\($0)" })
            }
            try body(db)
        }
    }

    private func access<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try Self.guarding(database.path) { try database.write(body) }
    }

    // MARK: The file

    static func configuration(readonly: Bool = false) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readonly
        configuration.busyMode = .timeout(5)
        if !readonly { configuration.journalMode = .wal }
        configuration.prepareDatabase { db in
            // A commit is on the disk when it returns, also where the machine loses power.
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        return configuration
    }

    static func create(_ db: Database, job: String, fingerprint: Data) throws {
        try db.execute(sql: "PRAGMA application_id = \(applicationID)")
        try db.execute(sql: "PRAGMA user_version = \(version)")
        try JournalRecords.createTables(db)
        try JournalRecords.write(JournalRecords.Job(id: job, fingerprint: fingerprint, epoch: 0), db)
    }

    /// Throws unless the file is a journal of this version, or of any where it is to be replaced.
    static func checkIsJournal(_ path: String, ofAnyVersion: Bool = false) throws {
        let remedy = "remove the file if it is a former job's"
        // The header tells without SQLite: a user's other file must come to no harm.
        let header = (try? FileHandle(forReadingFrom: URL(fileURLWithPath: path)).read(upToCount: 16)) ?? Data()
        guard header == Data("SQLite format 3\0".utf8) else {
            throw ClusterError(.unusableJournal, expected: "a journal", found: "\(path); \(remedy)")
        }
        try guarding(path, remedy: remedy) {
            let database = try DatabaseQueue(path: path, configuration: configuration())
            defer { try? database.close() }
            try database.read { db in
                let foundID = try Int32.fetchOne(db, sql: "PRAGMA application_id")
                // A coordinator that died before its first transaction leaves an empty database.
                if try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0 { return }
                guard foundID == applicationID else {
                    throw ClusterError(.unusableJournal, expected: "a journal", found: "\(path); \(remedy)")
                }
                let foundVersion = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                guard ofAnyVersion || foundVersion == version else {
                    throw ClusterError(
                        .unusableJournal, expected: "a journal of version \(version)",
                        found: "\(path) of version \(foundVersion); \(restart)")
                }
            }
        }
    }

    static let restart = "--restart begins anew"

    /// SQLite's errors as ours.
    /// - Parameter remedy: what helps against a journal that is not as it was written.
    static func guarding<Value>(_ path: String, remedy: String = restart, _ body: () throws -> Value) throws -> Value {
        func damaged(_ reason: String) -> ClusterError {
            ClusterError(
                .unusableJournal, expected: "a journal as it was written", found: "\(path), \(reason); \(remedy)")
        }
        do {
            return try body()
        } catch let error as DatabaseError {
            let reason = error.message ?? "\(error.resultCode)"
            guard damages.contains(error.resultCode) else {
                throw ClusterError(.journal, expected: path, found: reason)
            }
            throw damaged(reason)
        } catch let error as RowDecodingError {
            throw damaged("\(error)")
        }
    }

    /// What SQLite finds where a file is not what was written, and not where it cannot be read or written for now.
    private static let damages: [ResultCode] = [
        .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR, .SQLITE_MISMATCH, .SQLITE_CONSTRAINT, .SQLITE_SCHEMA,
        .SQLITE_FORMAT, .SQLITE_TOOBIG, .SQLITE_RANGE,
    ]
}

extension SHA256Digest {
    init(_ bytes: Data) throws {
        guard let digest = SHA256Digest(bytes: bytes) else {
            throw ClusterError(
                .unusableJournal, expected: "a digest", found: "\(bytes.count) bytes; \(Journal.restart)")
        }
        self = digest
    }
}
