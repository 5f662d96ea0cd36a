import Foundation
import TestSupport
import Testing

/// Wrong job files, config files and output folders, and wrong usage.
@Suite struct BadJobTests {
    @Test func unknownKey() throws {
        let job = try SpoiledJob()
        try job.writeJob("quantisation: {}")
        try job.expectRefused(naming: "job.yml", "line 8", "unknown key quantisation", "did you mean \"quantization\"")
    }

    @Test func missingJobFile() throws {
        let job = try SpoiledJob()
        try FileManager.default.removeItem(at: job.file)
        try job.expectRefused(naming: "job.yml", "cannot be read", "No such file or directory")
    }

    @Test func missingConfigFile() throws {
        let job = try SpoiledJob()
        try job.writeJob(quantization: "config: configs/mine.json")
        try job.expectRefused(naming: "configs/mine.json", "No such file or directory")
    }

    @Test func configFileThatBreaksTheSchema() throws {
        let job = try SpoiledJob()
        try job.writeJob(quantization: "config: mine.json")
        func write(_ defaults: String) throws {
            let sections = #""params": {}, "op_type": {}, "supergroups": [], "model_input": {}, "model_output": {}"#
            try job.scratch.write(Data("{\"defaults\": \(defaults), \(sections)}".utf8), to: "mine.json")
        }
        try write(#"{"ops": {"is_output_quantised": "True"}, "params": {}}"#)
        try job.expectRefused(naming: "mine.json", "defaults", "is_output_quantised")
        try write(#"{"ops": {"is_output_quantized": 3}, "params": {}}"#)
        try job.expectRefused(naming: "mine.json", "is_output_quantized", "found")
        try write("{")
        try job.expectRefused(naming: "mine.json", "JSON")
    }

    @Test func outputThatCannotBeAFolder() throws {
        let job = try SpoiledJob()
        try job.scratch.write(Data("here".utf8), to: "output")
        try job.expectRefused(naming: "output", "cannot be written")
    }

    @Test func outputFolderThatIsReadOnly() throws {
        let job = try SpoiledJob()
        // The system administrator may write anywhere but where the kernel has no files.
        let folder = getuid() == 0 ? "/proc/self/quantsim" : job.output.path
        if getuid() != 0 {
            try FileManager.default.createDirectory(
                at: job.output, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o555])
        }
        try job.expectFailure(["run", job.file.path, "--output", folder], naming: [folder, "cannot be written"])
    }

    /// A file of the results cannot take its place: the others stay whole and nothing is left half-written.
    @Test func resultThatCannotBeWritten() throws {
        let job = try SpoiledJob()
        try job.scratch.write(Data(), to: "output/model.encodings/file")
        try job.expectFailure(naming: "model.encodings", "cannot be written")
        let names = try FileManager.default.contentsOfDirectory(atPath: job.output.path)
        #expect(names.sorted() == ["journal.sqlite", "model.encodings", "model.onnx"])
    }

    /// A disk that is full, as a limit on file sizes imitates it.
    @Test func fullDisk() throws {
        let job = try SpoiledJob()
        for kilobytes in [8, 64] {
            let output = job.folder.appendingPathComponent("output-\(kilobytes)")
            let arguments = ["run", job.file.path, "--workers", "1", "--output", output.path]
            let process = try QuantSimProcess(arguments, in: job.folder, kilobytesPerFile: kilobytes)
            #expect([42, 75].contains(try process.exitCode()), "\(process.standardError)")
            expectSentence(process.standardError, naming: [output.path])
            let names = try FileManager.default.contentsOfDirectory(atPath: output.path)
            #expect(names.allSatisfy { $0.hasPrefix("journal.sqlite") }, "\(names)")
        }
        let arguments = ["infer", "model.onnx", "--input", "images.npz", "--output", "o.npz"].map {
            $0.contains(".") ? job.folder.appendingPathComponent($0).path : $0
        }
        let process = try QuantSimProcess(arguments, in: job.folder, kilobytesPerFile: 1)
        #expect(try process.exitCode() == 42)
        expectSentence(process.standardError, naming: ["o.npz", "cannot be written"], alone: true)
        let names = try FileManager.default.contentsOfDirectory(atPath: job.folder.path)
        #expect(!names.contains { $0.contains("o.npz") }, "\(names)")
    }

    @Test func coordinatorsInEachOthersWay() throws {
        let job = try SpoiledJob()
        let endpoint = try TestJob.freeEndpoint()
        let first = try QuantSimProcess(
            ["coordinator", job.file.path, "--bind", endpoint, "--output", job.output.path], in: job.folder)
        try first.waitFor("workers connect to")
        let other = job.folder.appendingPathComponent("other").path
        try job.expectFailure(
            ["coordinator", job.file.path, "--bind", endpoint, "--output", other], code: 75,
            naming: [endpoint, "Address already in use"])
        // On the same folder a second coordinator would replace the first one's journal.
        try job.expectFailure(
            ["coordinator", job.file.path, "--bind", "tcp://127.0.0.1:*", "--output", job.output.path], code: 75,
            naming: [job.output.path, "another run"])
        let worker = try QuantSimProcess(["worker", "--connect", endpoint, "--lanes", "1"], in: job.folder)
        #expect(try first.exitCode() == 0, "\(first.standardError)")
        #expect(try worker.exitCode() == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: job.output.path)
        #expect(names.contains("journal.sqlite") && names.contains("report.json"))
    }

    @Test(arguments: [
        ["run"], ["run", "a.yml", "b.yml"], ["run", "a.yml", "--workers", "0"], ["run", "a.yml", "--workers", "two"],
        ["coordinator", "a.yml"], ["coordinator", "a.yml", "--bind", "here"],
        ["coordinator", "a.yml", "--bind", "tcp://127.0.0.1:port"], ["worker"], ["worker", "--connect", "tcp://"],
        ["worker", "--connect", "tcp://host:*"], ["worker", "--connect", "tcp://host:1", "--lanes", "0"], ["infer"],
        ["infer", "model.onnx", "--input", "in.npz"], ["inspect"], ["demo", "--workers", "1025"],
    ])
    func wrongUsage(_ arguments: [String]) throws {
        let result = try #require(BuiltProgram(named: "quantsim")).run(arguments)
        #expect(result.exitCode == 2, "\(result.error)")
        #expect(result.error.hasPrefix("Error: ") && result.error.contains("Usage: quantsim \(arguments[0])"))
        #expect(result.output.isEmpty)
    }
}
