import ClusterProtocol
import Foundation
import GRDB
import Messaging
import Support

/// The rows of a journal, as values with their seals. What does not decode, or is not what its seal is of, is an error.
enum JournalRecords {
    struct Job {
        var id: String
        var fingerprint: Data
        var epoch: UInt32
        /// Of the answers to probes in their order.
        var probes = SHA256Digest(of: Data())

        /// The coordinator's next life.
        var next: Job { Job(id: id, fingerprint: fingerprint, epoch: epoch + 1, probes: probes) }

        fileprivate var seal: SHA256Digest {
            var seal = Sealed()
            seal.add(Data(id.utf8))
            seal.add(fingerprint)
            seal.add(UInt64(epoch))
            seal.add(probes.bytes)
            return seal.digest
        }
    }

    struct Pass {
        var index: Int
        var state: Journal.PassState
        /// Of the shards in the order of their commits.
        var chain: SHA256Digest
        /// The seal of the pass before; of the first, of the job's fingerprint.
        var previous: SHA256Digest

        fileprivate var seal: SHA256Digest {
            var seal = Sealed()
            seal.add(UInt64(index))
            seal.add(Data(state.name.utf8))
            seal.add(state.descriptor.bytes)
            seal.add(state.isFinished ? 1 : 0)
            seal.add(state.reducerState == nil ? 0 : 1)
            seal.add(state.reducerState ?? Data())
            for count in [state.samples, state.shards, state.failedAttempts] {
                seal.add(UInt64(bitPattern: Int64(count)))
            }
            seal.add(state.seconds.bitPattern)
            seal.add(chain.bytes)
            seal.add(previous.bytes)
            return seal.digest
        }
    }

    /// What a digest is of: parts, each with its length before it, so that no two lists of parts are the same bytes.
    private struct Sealed {
        private var writer = ByteWriter()

        mutating func add(_ part: Data) {
            writer.append(UInt64(part.count))
            writer.append(part)
        }

        mutating func add(_ number: UInt64) { writer.append(number) }

        var digest: SHA256Digest { SHA256Digest(of: writer.data) }
    }

    static func createTables(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE job (
                    one INTEGER PRIMARY KEY, id TEXT NOT NULL, fingerprint BLOB NOT NULL, epoch INTEGER NOT NULL,
                    probes BLOB NOT NULL, seal BLOB NOT NULL);
                CREATE TABLE pass (
                    pass INTEGER PRIMARY KEY, name TEXT NOT NULL, descriptor BLOB NOT NULL, finished INTEGER NOT NULL,
                    state BLOB, samples INTEGER NOT NULL, shards INTEGER NOT NULL, seconds REAL NOT NULL,
                    attempts INTEGER NOT NULL, chain BLOB NOT NULL, previous BLOB NOT NULL, seal BLOB NOT NULL);
                CREATE TABLE shard (
                    pass INTEGER NOT NULL, shard INTEGER NOT NULL, place INTEGER NOT NULL, digest BLOB NOT NULL,
                    samples INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (pass, shard)) WITHOUT ROWID;
                CREATE TABLE probe (
                    place INTEGER PRIMARY KEY, subject BLOB NOT NULL UNIQUE, digest BLOB NOT NULL,
                    machine TEXT NOT NULL);
                """)
    }

    // MARK: The job

    static func job(_ db: Database) throws -> Job {
        let rows = try Row.fetchAll(db, sql: "SELECT * FROM job")
        guard let row = rows.first, rows.count == 1 else {
            throw ClusterError(.unusableJournal, expected: "one job", found: "\(rows.count); \(Journal.restart)")
        }
        let job = Job(
            id: try row.decode(forColumn: "id"), fingerprint: try row.decode(forColumn: "fingerprint"),
            epoch: try row.decode(forColumn: "epoch"), probes: try digest(row, "probes"))
        try check(job.seal, row, "the job")
        return job
    }

    static func write(_ job: Job, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO job (one, id, fingerprint, epoch, probes, seal) VALUES (1, ?, ?, ?, ?, ?)",
            arguments: [job.id, job.fingerprint, job.epoch, job.probes.bytes, job.seal.bytes])
    }

    // MARK: Passes

    static func pass(_ index: Int, _ db: Database) throws -> Pass? {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM pass WHERE pass = ?", arguments: [index]) else {
            return nil
        }
        let pass = try decode(row)
        guard try pass.previous == seal(before: index, db) else { throw changed("the pass before \(pass.state.name)") }
        return pass
    }

    static func begin(_ index: Int, name: String, descriptor: SHA256Digest, _ db: Database) throws {
        let state = Journal.PassState(
            name: name, descriptor: descriptor, isFinished: false, reducerState: nil, samples: 0, shards: 0, seconds: 0,
            failedAttempts: 0)
        try write(
            Pass(index: index, state: state, chain: SHA256Digest(of: Data()), previous: try seal(before: index, db)), db
        )
    }

    static func write(_ pass: Pass, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO pass VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                pass.index, pass.state.name, pass.state.descriptor.bytes, pass.state.isFinished,
                pass.state.reducerState,
                pass.state.samples, pass.state.shards, pass.state.seconds, pass.state.failedAttempts, pass.chain.bytes,
                pass.previous.bytes, pass.seal.bytes,
            ])
    }

    /// In order, each with what it says.
    static func passes(_ db: Database) throws -> [Pass] {
        try Row.fetchAll(db, sql: "SELECT * FROM pass ORDER BY pass").map(decode)
    }

    private static func decode(_ row: Row) throws -> Pass {
        let state = Journal.PassState(
            name: try row.decode(forColumn: "name"), descriptor: try digest(row, "descriptor"),
            isFinished: try row.decode(forColumn: "finished"), reducerState: try row.decode(forColumn: "state"),
            samples: try row.decode(forColumn: "samples"), shards: try row.decode(forColumn: "shards"),
            seconds: try row.decode(forColumn: "seconds"), failedAttempts: try row.decode(forColumn: "attempts"))
        let pass = Pass(
            index: try row.decode(forColumn: "pass"), state: state, chain: try digest(row, "chain"),
            previous: try digest(row, "previous"))
        try check(pass.seal, row, "pass \(state.name)")
        guard !state.isFinished || state.reducerState != nil else { throw changed("pass \(state.name)") }
        return pass
    }

    /// What a pass is chained to.
    private static func seal(before index: Int, _ db: Database) throws -> SHA256Digest {
        guard index > 0 else { return SHA256Digest(of: try job(db).fingerprint) }
        guard let row = try Row.fetchOne(db, sql: "SELECT seal FROM pass WHERE pass = ?", arguments: [index - 1]) else {
            throw changed("the pass before")
        }
        return try digest(row, "seal")
    }

    // MARK: Shards

    static func append(_ shard: Journal.CommittedShard, to pass: inout Pass, _ db: Database) throws {
        let insert = try db.cachedStatement(sql: "INSERT INTO shard VALUES (?, ?, ?, ?, ?, ?)")
        try insert.execute(
            arguments: [
                pass.index, shard.shard, pass.state.shards, shard.digest.bytes, shard.samples, shard.payload.bytes,
            ])
        pass.chain = chain(pass.chain, shard)
        pass.state.shards += 1
        pass.state.samples += shard.samples
    }

    /// In the order of their commits.
    static func shards(of pass: Pass, _ db: Database) throws -> [Journal.CommittedShard] {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT * FROM shard WHERE pass = ? ORDER BY place", arguments: [pass.index])
        var shards: [Journal.CommittedShard] = []
        var chain = SHA256Digest(of: Data())
        while let row = try rows.next() {
            let shard = Journal.CommittedShard(
                shard: try row.decode(forColumn: "shard"), digest: try digest(row, "digest"),
                samples: try row.decode(forColumn: "samples"), payload: try digest(row, "payload"))
            chain = Self.chain(chain, shard)
            shards.append(shard)
        }
        guard chain == pass.chain, shards.count == pass.state.shards else {
            throw changed("the shards of pass \(pass.state.name)")
        }
        return shards
    }

    private static func chain(_ before: SHA256Digest, _ shard: Journal.CommittedShard) -> SHA256Digest {
        var seal = Sealed()
        seal.add(before.bytes)
        seal.add(UInt64(bitPattern: Int64(shard.shard)))
        seal.add(shard.digest.bytes)
        seal.add(UInt64(bitPattern: Int64(shard.samples)))
        seal.add(shard.payload.bytes)
        return seal.digest
    }

    // MARK: Probes

    /// Behind those that are there.
    static func append(_ probe: ProbeAnswer, _ db: Database) throws {
        var job = try job(db)
        let count = try probes(db).count
        try db.execute(
            sql: "INSERT INTO probe VALUES (?, ?, ?, ?)",
            arguments: [count, probe.subject.bytes, probe.digest.bytes, probe.machine])
        job.probes = chain(job.probes, probe)
        try write(job, db)
    }

    /// In the order in which they came.
    static func probes(_ db: Database) throws -> [ProbeAnswer] {
        let probes = try Row.fetchAll(db, sql: "SELECT * FROM probe ORDER BY place").map { row in
            ProbeAnswer(
                subject: try digest(row, "subject"), digest: try digest(row, "digest"),
                machine: try row.decode(forColumn: "machine"))
        }
        guard try probes.reduce(SHA256Digest(of: Data()), chain) == job(db).probes else { throw changed("the probes") }
        return probes
    }

    private static func chain(_ before: SHA256Digest, _ probe: ProbeAnswer) -> SHA256Digest {
        var seal = Sealed()
        for part in [before.bytes, probe.subject.bytes, probe.digest.bytes, Data(probe.machine.utf8)] { seal.add(part) }
        return seal.digest
    }

    // MARK: Checking

    private static func digest(_ row: Row, _ column: String) throws -> SHA256Digest {
        try SHA256Digest(row.decode(Data.self, forColumn: column))
    }

    private static func check(_ seal: SHA256Digest, _ row: Row, _ what: String) throws {
        guard try digest(row, "seal") == seal else { throw changed(what) }
    }

    private static func changed(_ what: String) -> ClusterError {
        ClusterError(
            .unusableJournal, expected: "a journal as it was written",
            found: "another record of \(what); \(Journal.restart)")
    }
}
