import Foundation
import GRDB
import Messaging
import Support

extension Journal {
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
        try db.execute(
            sql: """
                CREATE TABLE job (id TEXT NOT NULL, fingerprint BLOB NOT NULL, epoch INTEGER NOT NULL);
                CREATE TABLE pass (
                    pass INTEGER PRIMARY KEY, name TEXT NOT NULL, descriptor BLOB NOT NULL,
                    finished INTEGER NOT NULL DEFAULT 0, state BLOB,
                    samples INTEGER NOT NULL DEFAULT 0, shards INTEGER NOT NULL DEFAULT 0,
                    seconds REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0);
                CREATE TABLE shard (
                    pass INTEGER NOT NULL, shard INTEGER NOT NULL, digest BLOB NOT NULL, samples INTEGER NOT NULL,
                    PRIMARY KEY (pass, shard)) WITHOUT ROWID;
                """)
        try db.execute(
            sql: "INSERT INTO job (id, fingerprint, epoch) VALUES (?, ?, 0)", arguments: [job, fingerprint])
    }

    /// Throws unless the file is a journal of this version.
    static func checkIsJournal(_ path: String) throws {
        // The header tells without SQLite: a user's other file must come to no harm.
        let header = (try? FileHandle(forReadingFrom: URL(fileURLWithPath: path)).read(upToCount: 16)) ?? Data()
        guard header == Data("SQLite format 3\0".utf8) else {
            throw ClusterError(.journal, expected: "a journal", found: path)
        }
        try guarding(path) {
            let database = try DatabaseQueue(path: path, configuration: configuration())
            defer { try? database.close() }
            try database.read { db in
                let found = try Int32.fetchOne(db, sql: "PRAGMA application_id")
                let foundVersion = try Int.fetchOne(db, sql: "PRAGMA user_version")
                // A coordinator that died before its first transaction leaves an empty database.
                let isEmpty = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0
                guard isEmpty || (found == applicationID && foundVersion == version) else {
                    throw ClusterError(.journal, expected: "a journal of version \(version)", found: path)
                }
            }
        }
    }

    /// SQLite's errors as ours.
    static func guarding<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as DatabaseError {
            throw ClusterError(.journal, expected: path, found: error.message ?? "\(error.resultCode)")
        }
    }
}

extension Journal.PassState {
    init(_ row: Row) throws {
        self.init(
            name: row["name"], descriptor: try SHA256Digest(row["descriptor"] as Data), isFinished: row["finished"],
            reducerState: row["state"], samples: row["samples"], shards: row["shards"], seconds: row["seconds"],
            failedAttempts: row["attempts"])
    }
}

/// A journal as `quantsim inspect` shows it.
public struct JournalSummary: Equatable, Sendable {
    public struct Pass: Equatable, Sendable {
        public var index: Int
        public var name: String
        public var isFinished: Bool
        public var samples: Int
        public var shards: Int
        public var seconds: Double
        public var failedAttempts: Int
        /// In bytes.
        public var stateSize: Int
    }

    public var job: String
    /// Lives of the coordinator so far.
    public var epoch: Int
    public var passes: [Pass]

    /// Reads a journal without changing it, also while its coordinator runs.
    ///
    /// - Throws: `ClusterError` `.journal`.
    public init(readingFrom path: String) throws {
        try Journal.checkIsJournal(path)
        self = try Journal.guarding(path) {
            let database = try DatabaseQueue(path: path, configuration: Journal.configuration(readonly: true))
            defer { try? database.close() }
            return try database.read { db in
                guard let row = try Row.fetchOne(db, sql: "SELECT id, epoch FROM job") else {
                    throw ClusterError(.journal, expected: "a job", found: path)
                }
                let rows = try Row.fetchAll(db, sql: "SELECT pass, * FROM pass ORDER BY pass")
                return JournalSummary(
                    job: row["id"], epoch: row["epoch"],
                    passes: try rows.map { row in
                        let pass = try Journal.PassState(row)
                        return Pass(
                            index: row["pass"], name: pass.name, isFinished: pass.isFinished, samples: pass.samples,
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
