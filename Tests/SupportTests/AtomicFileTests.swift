import Foundation
import Support
import TestSupport
import Testing

@Suite struct AtomicFileTests {
    private func names(_ scratch: ScratchFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).sorted()
    }

    @Test func `a file is replaced as a whole`() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appendingPathComponent("report.json")
        let large = Data((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) })
        for data in [Data("one".utf8), large, Data()] {
            try AtomicFile.write(data, to: url)
            #expect(try Data(contentsOf: url) == data)
            #expect(try names(scratch) == ["report.json"])
        }
    }

    @Test func `contents are on the disk before the name, the name before the end`() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appendingPathComponent("a")
        let log = FileLog()
        try log.recording { try AtomicFile.write(Data("x".utf8), to: url) }
        #expect(log.operations == [.create, .write, .flush, .rename, .flush])
        #expect(log.flushesBeforeRename(of: url))
        let temporary = try #require(log.paths.first)
        #expect(log.paths == [temporary, temporary, temporary, url.path, scratch.url.path])
        #expect(URL(filePath: temporary).lastPathComponent.hasPrefix(".a."))
    }

    /// Whatever fails on the way: the old contents, no other file, and an error that tells what failed on which file.
    @Test(arguments: [FileError.Operation.create, .write, .flush, .rename])
    func `after a failure the old file stands and no other`(operation: FileError.Operation) throws {
        let scratch = try ScratchFolder()
        let url = try scratch.write(Data("old".utf8), to: "a")
        let error = FileLog(failing: operation, with: ENOSPC).recording {
            #expect(throws: FileError.self) { try AtomicFile.write(Data("new".utf8), to: url) }
        }
        #expect(error == FileError(operation, path: url.path, systemError: ENOSPC))
        #expect(error?.reason == String(cString: strerror(ENOSPC)))
        #expect(try names(scratch) == ["a"])
        #expect(try Data(contentsOf: url) == Data("old".utf8))
    }

    @Test func `errors of the system name the file`() throws {
        let scratch = try ScratchFolder()
        let absent = scratch.url.appendingPathComponent("absent/a")
        let error = #expect(throws: FileError.self) { try AtomicFile.write(Data(), to: absent) }
        #expect(error == FileError(.create, path: absent.path, systemError: ENOENT))
        // A folder cannot be replaced by a file.
        try scratch.write(Data(), to: "full/b")
        let full = scratch.url.appendingPathComponent("full")
        let inTheWay = #expect(throws: FileError.self) { try AtomicFile.write(Data(), to: full) }
        #expect(inTheWay?.systemError == EISDIR && inTheWay?.path == full.path)
        #expect(try names(scratch) == ["full"])
    }

    private struct Refusal: Error {}

    @Test func `what another writer leaves behind is cleared away`() throws {
        let scratch = try ScratchFolder()
        let url = try scratch.write(Data("old".utf8), to: "a")
        #expect(throws: Refusal.self) {
            try AtomicFile.replace(url, failure: { _ in Refusal() }) { temporary throws(Refusal) in
                _ = FileManager.default.createFile(atPath: temporary.path, contents: Data("half".utf8))
                throw Refusal()
            }
        }
        #expect(try names(scratch) == ["a"])
        #expect(try Data(contentsOf: url) == Data("old".utf8))
    }

    @Test func `a folder is removed with what it holds`() throws {
        let scratch = try ScratchFolder()
        try scratch.write(Data(), to: "full/b")
        let full = scratch.url.appendingPathComponent("full")
        try FileSystem.remove(full)
        #expect(try names(scratch).isEmpty)
        let error = #expect(throws: FileError.self) { try FileSystem.remove(full) }
        #expect(error == FileError(.remove, path: full.path, systemError: ENOENT))
    }
}
