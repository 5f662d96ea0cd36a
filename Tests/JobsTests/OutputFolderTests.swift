import App
import Foundation
import JobFile
import Jobs
import Support
import Testing
import TestSupport

@Suite struct OutputFolderTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("out-\(UUID().uuidString)")

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test func theFolderIsMadeWithItsParents() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let deep = folder.appendingPathComponent("a/b")
        let output = try OutputFolder(creating: deep)
        #expect(try OutputFolder(creating: deep) == output)
        #expect(output.model.lastPathComponent == "model.onnx")
        #expect(output.encodings.lastPathComponent == "model.encodings")
        #expect(output.encodings(.v0_6_1).lastPathComponent == "model.0.6.1.encodings")
        #expect(output.encodings(.v1_0_0).lastPathComponent == "model.1.0.0.encodings")
        #expect(output.report.lastPathComponent == "report.json")
        #expect(output.journal.lastPathComponent == "journal.sqlite")
    }

    @Test func aFileInTheWayIsNamed() throws {
        try Data().write(to: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        for url in [folder, folder.appendingPathComponent("below")] {
            let error = #expect(throws: JobError.self) { try OutputFolder(creating: url) }
            #expect(error?.code == .unwritableFile)
            #expect(error?.file == url.path)
            #expect(error.map { Failure($0).exitReason } == .permanent)
        }
    }

    @Test func aFileIsReplacedAsAWhole() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = try OutputFolder(creating: folder)
        let large = Data((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) })
        for data in [Data("one".utf8), large, Data()] {
            try writeAtomically(data, to: output.report)
            #expect(try Data(contentsOf: output.report) == data)
        }
        #expect(try names() == ["report.json"])
    }

    @Test func afterAFailureTheOldFileStandsAndNoOther() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = try OutputFolder(creating: folder)
        // A folder cannot be replaced by a file: the rename at the end fails.
        try FileManager.default.createDirectory(
            at: output.report.appendingPathComponent("full"), withIntermediateDirectories: true)
        let error = #expect(throws: JobError.self) { try writeAtomically(Data("x".utf8), to: output.report) }
        #expect(error?.code == .unwritableFile)
        #expect(error?.file == output.report.path)
        #expect(try names() == ["report.json"])
    }
}

@Suite struct OutputFolderDurabilityTests {
    @Test func aFileIsOnTheDiskBeforeItHasItsName() throws {
        let scratch = try ScratchFolder()
        let output = try OutputFolder(creating: scratch.url.appendingPathComponent("out"))
        let log = FileLog()
        try log.recording { try writeAtomically(Data("x".utf8), to: output.report) }
        #expect(log.flushesBeforeRename(of: output.report), "\(log.operations)")
        let error = FileLog(failing: .flush, with: ENOSPC).recording {
            #expect(throws: JobError.self) { try writeAtomically(Data("y".utf8), to: output.report) }
        }
        #expect(error?.file == output.report.path && error?.systemError == ENOSPC)
        #expect(try Data(contentsOf: output.report) == Data("x".utf8))
    }
}

@Suite struct PeakMemoryTests {
    @Test func theKernelsFigureIsRead() throws {
        let status = "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t    1234 kB\nVmRSS:\t     1000 kB\n"
        #expect(PeakMemory.bytes(inStatus: status) == 1234 * 1024)
        #expect(PeakMemory.bytes(inStatus: "Name:\tx\n") == nil)
        #expect(PeakMemory.bytes(inStatus: "VmHWM:\tmuch kB\n") == nil)
        #expect(PeakMemory.bytes(inStatus: "VmHWM:\t12 MB\n") == nil)
    }

    @Test func itGrowsWithWhatIsTouched() throws {
        let before = try #require(PeakMemory.bytes())
        let size = 64 << 20
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        defer { block.deallocate() }
        memset(block, 1, size)
        // The kernel counts pages per thread and adds them up now and then.
        #expect(try #require(PeakMemory.bytes()) >= max(before, size - (1 << 20)))
        #expect(PeakMemory.bytes(ofProcess: getpid()) != nil)
    }

    @Test func aProcessThatIsNotThereHasNone() {
        #expect(PeakMemory.bytes(ofProcess: Int32.max) == nil)
    }
}

@Suite struct TextTableTests {
    @Test func columnsAreAligned() {
        var table = TextTable([.init("tensor"), .init("delta", .right), .init("note")])
        table.append(["input", "0.5", ""])
        table.append(["a longer one", "12.25", "x"])
        #expect(
            table.text == """
                tensor        delta  note
                ------------  -----  ----
                input           0.5
                a longer one  12.25  x

                """)
    }

    @Test func aTableWithoutRowsHasTitles() {
        #expect(TextTable([.init("a"), .init("bc", .right)]).text == "a  bc\n-  --\n")
    }
}
