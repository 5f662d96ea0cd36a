import Foundation
import Testing

/// A run of the built program. Its output goes to files, so that it never blocks on a full pipe.
final class QuantSimProcess {
    let process = Process()
    private let folder: URL

    /// Starts the program that lies beside the test bundle.
    /// - Parameters:
    ///   - kilobytesPerFile: writing more fails, as on a full disk.
    ///   - launcher: a command that starts the program, which comes behind its arguments.
    init(_ arguments: [String], in folder: URL, kilobytesPerFile: Int? = nil, under launcher: [String] = []) throws {
        self.folder = folder.appendingPathComponent("process-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("quantsim")
        if let kilobytesPerFile {
            // dash counts in blocks of 512 bytes. The signal is ignored so that writing fails with an error instead.
            let script = "ulimit -f \(2 * kilobytesPerFile); trap '' XFSZ; exec \"$0\" \"$@\""
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", script, program.path] + arguments
        } else if let first = launcher.first {
            process.executableURL = URL(fileURLWithPath: first)
            process.arguments = launcher.dropFirst() + [program.path] + arguments
        } else {
            process.executableURL = program
            process.arguments = arguments
        }
        process.standardInput = FileHandle.nullDevice
        let outputs = try ["stdout", "stderr"].map { try Self.file(self.folder.appendingPathComponent($0)) }
        (process.standardOutput, process.standardError) = (outputs[0], outputs[1])
        try process.run()
        // The program has its own. A campaign starts so many that none would be left.
        for output in outputs { try output.close() }
    }

    deinit { kill() }

    var standardError: String {
        (try? String(contentsOf: folder.appendingPathComponent("stderr"), encoding: .utf8)) ?? ""
    }

    var standardOutput: String {
        (try? String(contentsOf: folder.appendingPathComponent("stdout"), encoding: .utf8)) ?? ""
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    func kill() {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
    }

    /// Waits for the end and returns the exit code; a process that has not ended in time is killed, which fails the test.
    func exitCode(withinSeconds seconds: Double = 120) throws -> Int32 {
        try wait(withinSeconds: seconds) { !self.process.isRunning }
        return process.terminationStatus
    }

    /// Waits until the standard error holds `text`.
    func waitFor(_ text: String, withinSeconds seconds: Double = 60) throws {
        try wait(withinSeconds: seconds) { self.standardError.contains(text) }
    }

    private func wait(withinSeconds seconds: Double, until condition: () -> Bool) throws {
        let end = Date().addingTimeInterval(seconds)
        while !condition() {
            guard Date() < end else {
                kill()
                throw Overdue(arguments: process.arguments ?? [], standardError: standardError)
            }
            Thread.sleep(forTimeInterval: 0.01)
        }
    }

    struct Overdue: Error {
        var arguments: [String]
        var standardError: String
    }

    private static func file(_ url: URL) throws -> FileHandle {
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }
}
