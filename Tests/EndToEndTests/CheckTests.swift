import Foundation
import ONNX
import TestSupport
import Testing

/// `check` and `init`: what a user learns before any work.
@Suite struct CheckTests {
    private func check(_ job: SpoiledJob, code: Int32, naming words: [String]) throws {
        let process = try QuantSimProcess(["check", job.file.path], in: job.folder)
        #expect(try process.exitCode(withinSeconds: 60) == code, "\(process.standardOutput)\(process.standardError)")
        for word in words {
            #expect(process.standardOutput.contains(word), "\"\(word)\" is not in: \(process.standardOutput)")
        }
        #expect(process.standardError.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: job.output.path))
    }

    @Test func aGoodJobIsToldInFull() throws {
        let job = try SpoiledJob()
        try check(
            job, code: 0,
            naming: [
                "model.onnx, 2 nodes", "input input: float32 [batch, 1, 28, 28], dynamic", "output output",
                "40 samples found, 40 taken", "10 classes, class 0: 4", "activations: ", "parameters: 1 of 1 quantized",
                "memory of a worker: about", "time: about", "quantization.scheme: tf_enhanced",
                "dataset.on_bad_sample: stop", "The job can run.",
            ])
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: job.folder.path)).isSuperset(of: ["job.yml"]))
    }

    @Test func allThatIsWrongIsToldAtOnce() throws {
        let job = try SpoiledJob()
        try job.write(
            SmallModel.linear(followedBy: [
                ("Bernoulli", ["scores"], "a", [:]), ("BitwiseNot", ["scores"], "b", [:]),
                ("Sum", ["a", "b"], "c", [:]), ("Multinomial", ["c"], "output", [:]),
            ]))
        try job.writeJob(evaluation: "none-*.npz")
        try check(
            job, code: 42,
            naming: [
                "not supported: node \"node_a\" (Bernoulli) of float32 [1, 10]: quantsim operators lists",
                "not supported: node \"node_b\" (BitwiseNot) of float32 [1, 10]: expected integers, found float32",
                "not supported: node \"node_output\" (Multinomial) of unknown: quantsim", "40 samples found",
                "The job cannot run:",
                "unsupported operators: Bernoulli, Multinomial", "none-*.npz: no file matches",
            ])
    }

    @Test func samplesThatDoNotFitAreFound() throws {
        let job = try SpoiledJob()
        try job.writeImages("turned.npz", shape: [40, 28, 28, 1])
        try job.writeJob(evaluation: "turned.npz")
        try check(job, code: 42, naming: ["turned.npz", "input of shape [1, 28, 28]", "[28, 28, 1]"])
    }

    @Test func badSamplesNameTheWayOut() throws {
        let job = try SpoiledJob(images: 20)
        try ImageFolder(job.folder.appendingPathComponent("images")).add(Data(), ofClass: 1, named: "empty.jpg")
        let process = try QuantSimProcess(["check", job.file.path], in: job.folder)
        _ = try process.exitCode(withinSeconds: 60)
        #expect(process.standardOutput.contains("class 0: 20"), "\(process.standardOutput)")
    }

    @Test func integersThatMeetFloatsAreRefusedInWords() throws {
        let job = try SpoiledJob()
        var model = SmallModel.linear()
        model.graph.input[0].type.tensorType.elemType = 7
        try job.write(model)
        let words = ["model.onnx", "(Gemm)", "expected int64, found float32"]
        try job.expectRefused(naming: words[0], words[1], words[2])
        try job.expectInferenceRefused(naming: words[1], words[2])
        try check(job, code: 42, naming: words)
    }

    @Test func aDraftedJobRuns() throws {
        let job = try SpoiledJob()
        try FileManager.default.removeItem(at: job.file)
        func path(_ name: String) -> String { job.folder.appendingPathComponent(name).path }
        let arguments = ["init", path("model.onnx"), path("images.npz"), "--job", job.file.path]
        let drafted = try QuantSimProcess(arguments, in: job.folder)
        #expect(try drafted.exitCode() == 0, "\(drafted.standardError)")
        let text = try String(contentsOf: job.file, encoding: .utf8)
        #expect(text.contains("calibration: {path: \"images.npz\", samples: 40}"))
        let run = try QuantSimProcess(job.arguments(.run), in: job.folder)
        #expect(try run.exitCode() == 0, "\(run.standardError)")
        try job.expectFailure(arguments, naming: ["job.yml", "there is one already; --force replaces it"])
        #expect(try String(contentsOf: job.file, encoding: .utf8) == text)
        #expect(try QuantSimProcess(arguments + ["--force"], in: job.folder).exitCode() == 0)
    }

    @Test func aDraftForClassFoldersRuns() throws {
        let job = try SpoiledJob(images: 20)
        let folder = job.folder
        try FileManager.default.removeItem(at: job.file)
        let drafted = try QuantSimProcess(
            [
                "init", folder.appendingPathComponent("model.onnx").path, folder.appendingPathComponent("images").path,
                "--job", job.file.path,
            ], in: folder)
        #expect(try drafted.exitCode() == 0, "\(drafted.standardError)")
        let text = try String(contentsOf: job.file, encoding: .utf8)
        #expect(text.contains("image: {size: [16, 16]") && text.contains("evaluation: {path: \"images\"}"), "\(text)")
        let run = try QuantSimProcess(job.arguments(.run), in: folder)
        #expect(try run.exitCode() == 0, "\(run.standardError)")
    }
}
