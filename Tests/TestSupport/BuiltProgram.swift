import Foundation

/// A program of this package, built beside the tests, for tests that run it as users do.
public struct BuiltProgram: Sendable {
    public struct Result: Sendable {
        public var exitCode: Int32
        public var output: String
        public var error: String
    }

    public var executable: URL

    /// Nil where the program was not built.
    public init?(named name: String) {
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        executable = tests.deletingLastPathComponent().appendingPathComponent(name)
        guard FileManager.default.isExecutableFile(atPath: executable.path) else { return nil }
    }

    /// Runs the program to its end. Its output must be small: it is read once the program has ended.
    public func run(_ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let (output, error) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = error
        try process.run()
        process.waitUntilExit()
        func text(_ pipe: Pipe) throws -> String {
            String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        }
        return Result(exitCode: process.terminationStatus, output: try text(output), error: try text(error))
    }
}
