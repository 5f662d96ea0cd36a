import Foundation
import ONNX
import Tensors
import Testing
import TestSupport

private let environment = ProcessInfo.processInfo.environment
/// Another draws other inputs.
private let seed = UInt64(environment["QUANTSIM_BAD_INPUT_SEED"] ?? "") ?? 1
/// More of them, for a campaign.
private let factor = Int(environment["QUANTSIM_BAD_INPUT_FACTOR"] ?? "") ?? 1

/// Inputs that were sound until a few of their parts were changed: whatever they have become, the program ends with a
/// documented exit code, within 20 seconds and 2 GB, and where it refuses them says so in one sentence. 1,540 of them, drawn
/// with `QUANTSIM_BAD_INPUT_SEED`; `QUANTSIM_BAD_INPUT_FACTOR` draws as many times more.
@Suite struct BadInputTests {
    private static let golden = TestJob.repository.appendingPathComponent("Tests/Golden")

    /// Done, wrong usage, and a bad model, job or dataset.
    private static let documented: Set<Int32> = [0, 2, 42]

    /// Runs the program in at most 2 GB.
    /// - Returns: its exit code; nil where it is none that is documented, which is an issue.
    private func ends(_ arguments: [String], _ job: SpoiledJob, _ label: String) throws -> Int32? {
        let limited = [
            "/bin/sh", "-c", "ulimit -v 2097152; QUANTSIM_PLAN_MEMORY_GIB=1 exec \"$0\" \"$@\"",
        ]
        let process = try QuantSimProcess(arguments, in: job.folder, under: limited)
        let code: Int32
        do {
            code = try process.exitCode(withinSeconds: 20)
        } catch {
            Issue.record("seed \(seed), \(label): does not end in 20 s: \(process.standardError.suffix(2000))")
            return nil
        }
        let said = process.standardError
        guard process.process.terminationReason == .exit, Self.documented.contains(code) else {
            Issue.record("seed \(seed), \(label): ends with \(code): \(said.suffix(2000))")
            return nil
        }
        let sentences = said.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
        if code == 42 {
            // What a check finds in what it was asked about is its output.
            let isFinding = arguments[0] == "check" && process.standardOutput.contains("\nThe job cannot run:\n  ")
            #expect(sentences.count == (isFinding ? 0 : 1), "seed \(seed), \(label): \(said.suffix(2000))")
        }
        return code
    }

    /// - Parameter spoil: writes the inputs of a case, and returns the command on them.
    private func campaign(
        _ name: String, _ count: Int, in job: SpoiledJob, _ spoil: (inout Mutation, Int) throws -> [String]
    ) throws {
        var codes: [Int32: Int] = [:]
        for number in 0..<count * factor {
            var mutation = Mutation(seed: seed, number: number)
            let arguments = try spoil(&mutation, number)
            if let code = try ends(arguments, job, "\(name) \(number)") { codes[code, default: 0] += 1 }
        }
        print("bad inputs: seed \(seed), \(name), how often each exit code came: \(codes)")
        // A generator that never, or always, spoils its input tests nothing.
        #expect(codes[42, default: 0] > count / 10 && codes[0, default: 0] > 0, "\(name): \(codes)")
    }

    private func run(_ job: SpoiledJob) throws -> [String] {
        try? FileManager.default.removeItem(at: job.output)
        return ["run", job.file.path, "--workers", "1", "--output", job.output.path]
    }

    @Test func jobs() throws {
        let job = try SpoiledJob()
        let calibration = """
            model: model.onnx
            dataset:
              calibration: {path: images.npz, samples: 20, order: spread}
              training: {path: images.npz}
              evaluation: {path: images.npz}
              batch: 8
              on_bad_sample: stop
            quantization:
              config: default
              scheme: tf_enhanced
              activation_bitwidth: 8
              parameter_bitwidth: 8
            """
        let training =
            calibration + """

                training:
                  steps: 2
                  optimizer: {name: sgd, learning_rate: 0.001, momentum: 0.9}
                  schedule: {divide_by: 10, every_epochs: 1}
                  global_batch: 8
                  slots: 2
                  seed: 3
                analysis: {samples: 8}
                """
        try campaign("jobs", 340, in: job) { mutation, number in
            // What a training was asked for may take as long as it likes; it is checked only.
            let isRun = number % 2 == 0
            try job.scratch.write(Data(mutation.text(isRun ? calibration : training).utf8), to: "job.yml")
            return isRun ? try run(job) : ["check", job.file.path]
        }
    }

    @Test func models() throws {
        let job = try SpoiledJob()
        let files = try ["Definitions", "Execution", "NodeTests"].flatMap { folder in
            try FileManager.default.contentsOfDirectory(
                at: Self.golden.appendingPathComponent(folder), includingPropertiesForKeys: nil
            ).filter { $0.pathExtension == "onnx" }.sorted { $0.path < $1.path }
        }
        let classifiers = [SmallModel.linear(), SmallModel.linear(batch: 1)]
        try campaign("models", 400, in: job) { mutation, number in
            let isJob = number % 4 == 0
            let file = mutation.one(of: files)
            let model =
                isJob ? mutation.one(of: classifiers) : try ONNXModelProto(serializedBytes: Data(contentsOf: file))
            let data =
                number % 6 == 1
                ? mutation.bytes(try model.serializedData()) : try mutation.model(model).serializedData()
            try job.scratch.write(data, to: "model.onnx")
            guard !isJob else { return try run(job) }
            let folder = job.folder
            try NPZ.write(Self.inputs(beside: file), to: folder.appendingPathComponent("inputs.npz"))
            try? FileManager.default.removeItem(at: folder.appendingPathComponent("outputs.npz"))
            return [
                "infer", folder.appendingPathComponent("model.onnx").path,
                "--input", folder.appendingPathComponent("inputs.npz").path,
                "--output", folder.appendingPathComponent("outputs.npz").path,
            ]
        }
    }

    /// The arrays beside a golden model, of which it takes those that it knows.
    private static func inputs(beside model: URL) throws -> [(String, Tensor)] {
        try NPZ.read(model.deletingPathExtension().appendingPathExtension("npz")).map { array in
            (array.name.hasPrefix("in.") ? String(array.name.dropFirst(3)) : array.name, array.tensor)
        }
    }

    @Test func data() throws {
        let job = try SpoiledJob()
        let folder = job.folder
        let whole = try Data(contentsOf: folder.appendingPathComponent("images.npz"))
        let images = ["rgb_444.jpg", "rgb_420.jpg", "progressive.jpg", "rgb.png"].map {
            Self.golden.appendingPathComponent("Datasets/\($0)")
        }
        let sound = try images.map { try Data(contentsOf: $0) }
        let convolution = try SmallModel.convolution(classes: 10, height: 16, width: 16).serializedData()
        let linear = try SmallModel.linear().serializedData()
        try campaign("data", 300, in: job) { mutation, number in
            let policy = number % 2 == 0 ? "skip" : "stop"
            if number % 3 == 0 {
                try job.scratch.write(linear, to: "model.onnx")
                if number % 2 == 0 {
                    try job.scratch.write(mutation.bytes(whole), to: "images.npz")
                } else {
                    try NPZ.write(mutation.arrays(), to: folder.appendingPathComponent("images.npz"))
                }
                try job.writeJob(dataset: "on_bad_sample: \(policy)")
                return try run(job)
            }
            try job.scratch.write(convolution, to: "model.onnx")
            // One at least is as it was, and often all but one.
            let spoilt = sound.indices.map { $0 != 1 && ($0 == 0 || mutation.below(3) == 0) }
            let members = zip(sound, spoilt).map { image, isSpoilt in isSpoilt ? mutation.bytes(image) : image }
            if number % 3 == 1 {
                var archive = TarBuilder()
                for (place, image) in members.enumerated() {
                    archive.add("\(place).\(images[place].pathExtension)", image)
                    archive.add("\(place).cls", "\(place % 2)")
                }
                let data = archive.finished()
                try job.scratch.write(mutation.below(2) == 0 ? mutation.bytes(data) : data, to: "images.tar")
            } else {
                try? FileManager.default.removeItem(at: folder.appendingPathComponent("folder"))
                for (place, image) in members.enumerated() {
                    try job.scratch.write(
                        image, to: "folder/class\(place % 2)/\(place)\(images[place].lastPathComponent)")
                }
            }
            let path = number % 3 == 1 ? "images.tar" : "folder"
            try job.writeJob(
                calibration: path, evaluation: path,
                dataset: "on_bad_sample: \(policy)\n  image: {size: [16, 16], mean: [0.5, 0.5, 0.5], std: [1, 1, 1]}")
            return try run(job)
        }
    }

    @Test func encodings() throws {
        let job = try SpoiledJob()
        let process = try QuantSimProcess(run(job), in: job.folder)
        try #require(try process.exitCode() == 0, "\(process.standardError)")
        let files = try ["model.encodings", "model.1.0.0.encodings"].map {
            try String(contentsOf: job.output.appendingPathComponent($0), encoding: .utf8)
        }
        try campaign("encodings", 300, in: job) { mutation, number in
            let text = mutation.one(of: files)
            let spoiled =
                switch number % 6 {
                case 0: mutation.bytes(Data(text.utf8))
                case 1: Data(mutation.text(text).utf8)
                default: try mutation.json(Data(text.utf8))
                }
            let file = try job.scratch.write(spoiled, to: "spoiled.encodings").path
            if number % 3 == 0 {
                try job.writeJob(quantization: "encodings: [spoiled.encodings]")
                return try run(job)
            }
            return [
                "infer", job.folder.appendingPathComponent("model.onnx").path,
                "--input", job.folder.appendingPathComponent("images.npz").path,
                "--output", job.folder.appendingPathComponent("outputs.npz").path, "--encodings", file,
            ]
        }
    }

    /// What a run finds of a former one: the journal, checkpoints and results. It ends as the former did or refuses to go on,
    /// and never comes to another result.
    @Test func journals() throws {
        let job = try SpoiledJob()
        try job.writeJob(
            dataset: "training: {path: images.npz}",
            "training: {steps: 4, optimizer: {name: sgd, learning_rate: 0.00001}, global_batch: 8, slots: 2}")
        func report() throws -> RunReport { try TestJob.report(job.output) }
        let process = try QuantSimProcess(run(job), in: job.folder)
        try #require(try process.exitCode() == 0, "\(process.standardError)")
        let expected = try report()
        let kept = job.folder.appendingPathComponent("kept")
        try FileManager.default.moveItem(at: job.output, to: kept)
        let names = try FileManager.default.subpathsOfDirectory(atPath: kept.path).sorted().filter {
            !(try FileManager.default.attributesOfItem(atPath: kept.appendingPathComponent($0).path)[.type]
                as? FileAttributeType == .typeDirectory)
        }
        let journals = names.filter { $0.hasPrefix("journal") }
        try #require(!journals.isEmpty)
        var codes: [Int32: Int] = [:]
        for number in 0..<200 * factor {
            var mutation = Mutation(seed: seed, number: number)
            try? FileManager.default.removeItem(at: job.output)
            try FileManager.default.copyItem(at: kept, to: job.output)
            let name = mutation.one(of: number % 3 == 0 ? names : journals)
            let file = job.output.appendingPathComponent(name)
            try mutation.bytes(Data(contentsOf: file)).write(to: file)
            let arguments = ["run", job.file.path, "--workers", "1", "--output", job.output.path]
            guard let code = try ends(arguments, job, "journals \(number)") else { continue }
            codes[code, default: 0] += 1
            if code == 0 {
                #expect(try report().digest == expected.digest, "seed \(seed), journals \(number): \(name)")
            }
        }
        print("bad inputs: seed \(seed), journals, how often each exit code came: \(codes)")
        #expect(codes[42, default: 0] > 0 && codes[0, default: 0] > 0, "\(codes)")
    }
}
