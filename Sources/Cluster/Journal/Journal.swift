import Foundation
import GRDB
import Messaging
import Support

/// What a coordinator must not forget, in SQLite: which shards are committed and the reducer's state with them, in one
/// transaction. Nothing is acknowledged before it is here. The file stays small: one row a shard of the pass that runs
/// (dropped when it is done) and one state a pass.
///
/// Not bound to a thread, but one coordinator uses it from one.
package final class Journal: Sendable {
    /// "QSJL": tells our files from other SQLite files, which are never replaced.
    static let applicationID: Int32 = 0x5153_4A4C
    static let version = 1

    package let job: String
    package let epoch: UInt32
    private let database: DatabaseQueue

    package struct PassState: Equatable, Sendable {
        package var name: String
        package var descriptor: SHA256Digest
        package var isFinished: Bool
        /// Nil before the first commit.
        package var reducerState: Data?
        package var samples: Int
        package var shards: Int
        package var seconds: Double
        package var failedAttempts: Int
    }

    package struct CommittedShard: Equatable, Sendable {
        package var shard: Int
        package var digest: SHA256Digest
        package var samples: Int

        package init(shard: Int, digest: SHA256Digest, samples: Int) {
            self.shard = shard
            self.digest = digest
            self.samples = samples
        }
    }

    /// Opens the journal of a job. With `resume` an existing one is continued in its next epoch, otherwise replaced.
    ///
    /// - Parameter fingerprint: of everything that the job's results depend on; a journal with another is refused.
    /// - Throws: `ClusterError` `.journal`, `.otherJob`.
    package init(path: String, fingerprint: Data, resume: Bool) throws {
        let exists = ((try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int ?? 0) > 0
        if exists { try Self.checkIsJournal(path) }
        if exists, !resume {
            // The main file first: without it, the others mean nothing.
            for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        }
        database = try Self.guarding(path) { try DatabaseQueue(path: path, configuration: Self.configuration()) }
        let newJob = UUID().uuidString.lowercased()
        let opened = try Self.guarding(path) { [database] in
            try database.write { db in
                if try !db.tableExists("job") { try Self.create(db, job: newJob, fingerprint: fingerprint) }
                guard let row = try Row.fetchOne(db, sql: "SELECT id, fingerprint, epoch FROM job") else {
                    throw ClusterError(.journal, expected: "a job", found: path)
                }
                guard row["fingerprint"] as Data == fingerprint else {
                    throw ClusterError(.otherJob, found: path)
                }
                let epoch = (row["epoch"] as UInt32) + 1
                try db.execute(sql: "UPDATE job SET epoch = ?", arguments: [epoch])
                return (job: row["id"] as String, epoch: epoch)
            }
        }
        job = opened.job
        epoch = opened.epoch
    }

    package func pass(_ index: Int) throws -> PassState? {
        try access { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM pass WHERE pass = ?", arguments: [index]) else {
                return nil
            }
            return try PassState(row)
        }
    }

    /// Records that a pass runs; known passes are left as they are.
    package func begin(pass: Int, name: String, descriptor: SHA256Digest) throws {
        try change { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO pass (pass, name, descriptor) VALUES (?, ?, ?)",
                arguments: [pass, name, descriptor.bytes])
        }
    }

    package func committedShards(ofPass pass: Int) throws -> [CommittedShard] {
        try access { db in
            let rows = try Row.fetchCursor(
                db, sql: "SELECT shard, digest, samples FROM shard WHERE pass = ? ORDER BY shard", arguments: [pass])
            var shards: [CommittedShard] = []
            while let row = try rows.next() {
                shards.append(
                    CommittedShard(
                        shard: row["shard"], digest: try SHA256Digest(row["digest"]), samples: row["samples"]))
            }
            return shards
        }
    }

    /// The write-ahead step: durable when it returns, all of it or nothing.
    package func commit(
        pass: Int, shards: [CommittedShard], reducerState: Data, seconds: Double
    ) throws {
        try change { db in
            let insert = try db.cachedStatement(
                sql: "INSERT INTO shard (pass, shard, digest, samples) VALUES (?, ?, ?, ?)")
            for shard in shards {
                try insert.execute(arguments: [pass, shard.shard, shard.digest.bytes, shard.samples])
            }
            try db.execute(
                sql: """
                    UPDATE pass SET state = ?, seconds = ?, shards = shards + ?, samples = samples + ? WHERE pass = ?
                    """,
                arguments: [
                    reducerState, seconds, shards.count, shards.reduce(0) { $0 + $1.samples }, pass,
                ])
        }
    }

    /// Marks a pass as done. Its shards' rows have served.
    package func finish(pass: Int, reducerState: Data, seconds: Double, failedAttempts: Int) throws {
        try change { db in
            try db.execute(
                sql: "UPDATE pass SET finished = 1, state = ?, seconds = ?, attempts = ? WHERE pass = ?",
                arguments: [reducerState, seconds, failedAttempts, pass])
            try db.execute(sql: "DELETE FROM shard WHERE pass = ?", arguments: [pass])
        }
    }

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
}

extension SHA256Digest {
    init(_ bytes: Data) throws {
        guard let digest = SHA256Digest(bytes: bytes) else {
            throw ClusterError(.journal, expected: "a digest", found: "\(bytes.count) bytes")
        }
        self = digest
    }
}
