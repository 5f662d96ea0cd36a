import Foundation
import TestSupport
import Testing

/// What a user sees of a worker that reaches nobody, and of a coordinator that nobody comes to.
@Suite(.serialized) struct WaitingProcessTests {
    @Test func aWorkerThatReachesNobodySaysWhy() throws {
        let scratch = try ScratchFolder()
        for (endpoint, reason) in [
            (try TestJob.freeEndpoint(), "connection refused, nobody listens there"),
            ("tcp://no-such-host.invalid:5555", "unknown host"), ("ipc://\(scratch.url.path)/s", "no such socket"),
        ] {
            let worker = try QuantSimProcess(["worker", "--connect", endpoint], in: scratch.url)
            try worker.waitFor(reason, withinSeconds: 20)
            let line = try #require(worker.standardError.split(separator: "\n").first { $0.contains(reason) })
            for word in ["warning waiting for a coordinator", endpoint, "waited=", "gives.up.in="] {
                #expect(line.contains(word), "\(line)")
            }
            worker.process.terminate()
            #expect(try worker.exitCode(withinSeconds: 10) == 143)
            #expect(!worker.standardError.contains("Error"), "\(worker.standardError)")
        }
    }

    @Test func theCommandThatACoordinatorPrintsStartsAWorker() throws {
        let job = try SpoiledJob()
        let coordinator = try QuantSimProcess(
            ["coordinator", job.file.path, "--bind", "tcp://*:*", "--output", job.output.path], in: job.folder)
        try coordinator.waitFor("waiting for workers", withinSeconds: 30)
        let lines = coordinator.standardError.split(separator: "\n").map(String.init)
        let waiting = try #require(lines.first { $0.contains("warning waiting for workers") })
        #expect(waiting.contains("waited=") && waiting.contains("gives.up=never") && waiting.contains("tcp://"))
        let command = try #require(lines.first { $0.contains(" worker --connect ") })
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", command]
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        #expect(try coordinator.exitCode(withinSeconds: 60) == 0, "\(coordinator.standardError)")
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 0, "\(command)")
    }
}
