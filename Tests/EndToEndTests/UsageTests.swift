import Foundation
import TestSupport
import Testing

/// Mistakes on the command line end with 2, before anything is read, waited for or written.
@Suite struct UsageTests {
    @Test(arguments: [
        (["rnu", "job.yml"], "did you mean \"run\"?"), (["train", "--help"], "quantsim run JOB.yml does it"),
        (["help", "calibrate"], "quantsim run JOB.yml does it"), (["cordinator"], "did you mean \"coordinator\"?"),
        (["job.yml"], "did you mean \"run job.yml\"?"), (["validate", "job.yml"], "did you mean \"check\"?"),
        (["xyzzy"], "which is one of demo, run"),
    ])
    func unknownCommands(_ arguments: [String], _ hint: String) throws {
        try expectUsage(arguments, naming: ["unknown command", hint])
    }

    @Test(arguments: [
        ["run", "job.yml", "--output", ""], ["coordinator", "job.yml", "--bind", "tcp://*:5555", "--output", ""],
        ["demo", "--output", ""], ["run", ""], ["inspect", ""], ["infer", "", "--input", "a", "--output", "b"],
        ["infer", "m.onnx", "--input", "", "--output", "b"], ["infer", "m.onnx", "--input", "a", "--output", ""],
    ])
    func emptyPaths(_ arguments: [String]) throws {
        try expectUsage(arguments, naming: ["a path must not be empty"])
    }

    @Test(arguments: [
        "tcp://*:5555", "tcp://host", "tcp://host:0", "tcp://host:65536", "tcp://:5555", "host:5555",
        "http://host:5555",
        "tcp://a b:5555", "tcp://[::1:5555", "ipc://", "",
    ])
    func mistakenEndpointsOfWorkers(_ endpoint: String) throws {
        try expectUsage(["worker", "--connect", endpoint], naming: ["endpoint"])
    }

    @Test func mistakenEndpointsOfCoordinators() throws {
        let job = try SpoiledJob()
        let precious = try job.scratch.write(Data("precious".utf8), to: "precious")
        for endpoint in [
            "tcp://192.0.2.1:5555", "tcp://nowhere.invalid:5555", "tcp://*:x", "ipc://\(job.folder.path)/absent/socket",
            "ipc://" + job.folder.path + String(repeating: "a", count: 120), "ipc://\(precious.path)",
        ] {
            let arguments = ["coordinator", job.file.path, "--bind", endpoint, "--output", job.output.path]
            try expectUsage(arguments, naming: ["endpoint"])
        }
        // libzmq removes what is there before it binds.
        #expect(try Data(contentsOf: precious) == Data("precious".utf8))
    }

    private func expectUsage(_ arguments: [String], naming words: [String]) throws {
        let scratch = try ScratchFolder()
        let process = try QuantSimProcess(arguments, in: scratch.url)
        #expect(try process.exitCode(withinSeconds: 20) == 2, "\(arguments): \(process.standardError)")
        for word in words { #expect(process.standardError.contains(word), "\(process.standardError)") }
        #expect(process.standardError.hasPrefix("Error: "), "\(process.standardError)")
        #expect(process.standardOutput.isEmpty)
    }
}
