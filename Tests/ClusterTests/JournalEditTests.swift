import Cluster
import ClusterProtocol
import Foundation
import GRDB
import Support
import Tensors
import Testing

/// A journal that says anything else than what was written to it is refused with an error: nothing traps, and nothing that was
/// changed is believed.
@Suite struct JournalEditTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edits-\(UUID().uuidString)")

    private func digest(_ text: String) -> SHA256Digest { SHA256Digest(of: Data(text.utf8)) }

    /// A journal of a finished pass and one that runs.
    private func written(_ name: String) throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appendingPathComponent(name + ".sqlite").path
        let journal = try Journal(path: path, fingerprint: Data("job".utf8), resume: false)
        for model in ["a", "b"] {
            try journal.keep(ProbeAnswer(subject: digest(model), digest: digest("bits"), machine: "here"))
        }
        for (pass, name) in ["calibrate", "evaluate"].enumerated() {
            try journal.begin(pass: pass, name: name, descriptor: digest(name))
            for part in 0..<2 {
                let shards = (0..<3).map {
                    Journal.CommittedShard(
                        shard: part * 3 + $0, digest: digest("r\($0)"), samples: 4, payload: digest("p\($0)"))
                }
                try journal.commit(pass: pass, shards: shards, reducerState: Data("state \(part)".utf8), seconds: 1)
            }
            if pass == 0 {
                try journal.finish(pass: 0, reducerState: Data("all".utf8), seconds: 2, failedAttempts: 0)
            }
        }
        journal.close()
        return path
    }

    /// All that a resumed job reads.
    private func read(_ path: String) throws -> [String] {
        let journal = try Journal(path: path, fingerprint: Data("job".utf8), resume: true)
        defer { journal.close() }
        return try journal.probes().map { "\($0)" } + (0..<3).map { "\(String(describing: try journal.pass($0)))" }
            + (0..<3).map { "\(try journal.committedShards(ofPass: $0))" }
    }

    private func sqlite(_ path: String, _ statement: String) throws {
        let database = try DatabaseQueue(path: path)
        try database.write { try $0.execute(sql: statement) }
        try database.close()
    }

    /// The edits that were tried by hand: wrong types and sizes trapped, `state = NULL` and `finished = 1` gave wrong digests.
    static let edits = [
        "UPDATE job SET epoch = -1", "UPDATE job SET epoch = 4294967295", "UPDATE job SET epoch = 'x'",
        "UPDATE job SET id = x'00'", "UPDATE job SET fingerprint = 5", "DELETE FROM job",
        "INSERT INTO job VALUES (2, 'a', x'00', 1, x'00', x'00')", "UPDATE pass SET name = x'ff'",
        "UPDATE pass SET descriptor = 'short'", "UPDATE pass SET finished = 1", "UPDATE pass SET finished = 'maybe'",
        "UPDATE pass SET finished = 0", "UPDATE pass SET state = NULL", "UPDATE pass SET state = x'00'",
        "UPDATE pass SET samples = -5", "UPDATE pass SET samples = 1e300", "UPDATE pass SET shards = 7",
        "UPDATE pass SET seconds = 'long'", "UPDATE pass SET attempts = 9", "UPDATE pass SET chain = x'00'",
        "UPDATE pass SET previous = chain", "UPDATE pass SET seal = chain", "DELETE FROM pass WHERE pass = 0",
        "UPDATE shard SET digest = x'0102'", "UPDATE shard SET shard = shard + 10",
        "UPDATE shard SET shard = -1 WHERE shard = 0", "UPDATE shard SET samples = 3 WHERE shard = 2",
        "UPDATE shard SET samples = 'many'", "UPDATE shard SET payload = digest", "DELETE FROM shard WHERE shard = 3",
        "DELETE FROM shard", "UPDATE shard SET place = 9 - place",
        "INSERT INTO shard VALUES (1, 9, 9, x'00', 1, x'00')",
        "UPDATE probe SET digest = subject", "UPDATE probe SET machine = 'elsewhere' WHERE place = 1",
        "UPDATE probe SET place = 2 - place", "DELETE FROM probe WHERE place = 1", "DELETE FROM probe",
        "UPDATE probe SET digest = x'00'", "UPDATE job SET probes = fingerprint", "DROP TABLE probe",
        "DROP TABLE shard", "DROP TABLE pass", "DROP TABLE job", "ALTER TABLE pass RENAME COLUMN state TO other",
    ]

    @Test(arguments: edits.indices) func anEditIsRefused(_ index: Int) throws {
        let path = try written("edit")
        try sqlite(path, Self.edits[index])
        let error = #expect(throws: ClusterError.self, "\(Self.edits[index])") { try read(path) }
        #expect(error?.code == .unusableJournal || error?.code == .otherJob, "\(String(describing: error))")
        try? FileManager.default.removeItem(at: folder)
    }

    /// A journal of another version is not gone on from, and may be replaced; another program's database may not.
    @Test func anotherVersionAndAnotherProgram() throws {
        let path = try written("version")
        try sqlite(path, "PRAGMA user_version = 1")
        let version = #expect(throws: ClusterError.self) { try read(path) }
        #expect(version?.code == .unusableJournal && version?.found?.hasSuffix("; --restart begins anew") == true)
        let anew = try Journal(path: path, fingerprint: Data("job".utf8), resume: false)
        #expect(anew.epoch == 1)
        anew.close()
        try sqlite(path, "PRAGMA application_id = 7")
        for resume in [true, false] {
            let program = #expect(throws: ClusterError.self) {
                try Journal(path: path, fingerprint: Data("job".utf8), resume: resume)
            }
            #expect(program?.code == .unusableJournal && program?.found?.contains("remove the file") == true)
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Bytes of the file, changed, cut or lost: what is read is what was written, or an error.
    @Test func damagedBytes() throws {
        let path = try written("whole")
        let expected = try read(path)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        var random = CounterRandom(key: 0x6a6f_7572, 1)
        var refused = 0
        let damaged = folder.appendingPathComponent("damaged.sqlite")
        for _ in 0..<300 {
            var data = whole
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    data[Int.random(in: data.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            case 1: data = data.prefix(Int.random(in: 1..<data.count, using: &random))
            default:
                let start = Int.random(in: 0..<data.count - 64, using: &random)
                data.replaceSubrange(start..<start + 64, with: Data(count: 64))
            }
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: damaged.path + suffix) }
            try data.write(to: damaged)
            do {
                let found = try read(damaged.path)
                #expect(found == expected)
            } catch let error as ClusterError {
                #expect(error.code == .unusableJournal || error.code == .otherJob)
                refused += 1
            }
        }
        #expect(refused > 50)
        try? FileManager.default.removeItem(at: folder)
    }

    /// Data that is other than before under the same names.
    @Test func samplesThatAreOthersAreNoticed() async throws {
        let path = folder.appendingPathComponent("resumed.sqlite").path
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try await onThread {
            func coordinator() throws -> Coordinator {
                var configuration = Toy.coordinator()
                configuration.journalPath = path
                configuration.fingerprint = Data("job".utf8)
                configuration.resume = true
                configuration.commitInterval = .milliseconds(1)
                return try Coordinator(configuration: configuration)
            }
            let pass = PassDescription(name: "count", descriptor: Data())
            struct Trouble: Error {}
            let first = try coordinator()
            let worker = RunningWorker(Toy.worker(first.boundEndpoint))
            // Ends in the middle, with shards committed.
            #expect(throws: Trouble.self) {
                try first.run(
                    pass: pass,
                    source: RandomShards(60, payloadSize: 100) {
                        if $0 == 50 {
                            usleep(300_000)
                            throw Trouble()
                        }
                    }, reducer: ByteHistogram())
            }
            first.finish()
            _ = try worker.exit()
            let second = try coordinator()
            let other = RunningWorker(Toy.worker(second.boundEndpoint))
            let error = #expect(throws: ClusterError.self) {
                try second.run(pass: pass, source: RandomShards(60, payloadSize: 104), reducer: ByteHistogram())
            }
            #expect(error?.code == .otherJob && error?.expected == "the samples that were computed with before")
            second.finish()
            _ = try other.exit()
            let third = try coordinator()
            let last = RunningWorker(Toy.worker(third.boundEndpoint))
            let outcome = try third.run(
                pass: pass, source: RandomShards(60, payloadSize: 100), reducer: ByteHistogram())
            #expect(outcome.state == RandomShards.expected(60, payloadSize: 100))
            third.finish()
            _ = try last.exit()
        }
        try? FileManager.default.removeItem(at: folder)
    }
}
