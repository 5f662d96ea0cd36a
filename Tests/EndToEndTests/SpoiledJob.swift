import Foundation
import ONNX
import Tensors
import TestSupport
import Testing

/// A job that would run well in a moment. Tests spoil one part of it and look at how the program ends.
struct SpoiledJob {
    let scratch: ScratchFolder
    var folder: URL { scratch.url }
    var file: URL { folder.appendingPathComponent("job.yml") }
    var output: URL { folder.appendingPathComponent("output") }

    /// 40 gray images and a linear classifier of ten classes.
    init() throws {
        scratch = try ScratchFolder()
        try write(SmallModel.linear())
        try writeImages("images.npz")
        try writeJob()
    }

    /// - Parameters:
    ///   - dataset: lines at the end of the section `dataset`.
    ///   - lines: lines at the end of the file.
    func writeJob(
        calibration: String = "images.npz", evaluation: String = "images.npz", batch: Int = 32, dataset: String = "",
        quantization: String = "config: default", _ lines: String = ""
    ) throws {
        let text = """
            model: model.onnx
            dataset:
              calibration: {path: "\(calibration)"}
              evaluation: {path: "\(evaluation)"}
              batch: \(batch)
              \(dataset)
            quantization: {\(quantization)}
            \(lines)
            """
        try scratch.write(Data(text.utf8), to: "job.yml")
    }

    func write(_ model: ONNXModelProto) throws {
        try scratch.write(model.serializedData(), to: "model.onnx")
    }

    func writeImages(
        _ file: String, name: String = "input", shape: Shape = [40, 1, 28, 28],
        label: (Int) -> Int64 = { Int64($0 % 10) }
    ) throws {
        var random = CounterRandom(key: 11, 0)
        let images = Tensor(shape: shape, (0..<shape.count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 40) })
        let labels = Tensor(shape: [shape.dimensions[0]], (0..<shape.dimensions[0]).map(label))
        try NPZ.write([(name, images), ("labels", labels)], to: folder.appendingPathComponent(file))
    }

    enum Command: CaseIterable {
        case run, coordinator
    }

    func arguments(_ command: Command) -> [String] {
        switch command {
        case .run: ["run", file.path, "--workers", "1", "--output", output.path]
        case .coordinator: ["coordinator", file.path, "--bind", "tcp://127.0.0.1:*", "--output", output.path]
        }
    }

    /// Before any worker is asked: `run` and `coordinator` end with 42, and nothing but the sentence is on standard error.
    func expectRefused(naming words: String..., at location: SourceLocation = #_sourceLocation) throws {
        for command in Command.allCases {
            try expectFailure(arguments(command), naming: words, at: location)
        }
    }

    /// In the middle of the work: `run` ends with 42, and the sentence is the last line of standard error.
    func expectFailure(naming words: String..., at location: SourceLocation = #_sourceLocation) throws {
        try expectFailure(arguments(.run), naming: words, alone: false, at: location)
    }

    /// `infer` on the model ends with 42 and the sentence alone.
    func expectInferenceRefused(
        input: String = "images.npz", encodings: String? = nil, naming words: String...,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        let quantization = encodings.map { ["--encodings", path($0)] } ?? []
        try expectFailure(
            ["infer", path("model.onnx"), "--input", path(input), "--output", path("output.npz")] + quantization,
            naming: words, at: location)
        #expect(!FileManager.default.fileExists(atPath: path("output.npz")), sourceLocation: location)
    }

    /// - Parameter alone: whether nothing may stand on standard error before the sentence.
    func expectFailure(
        _ arguments: [String], code: Int32 = 42, naming words: [String], alone: Bool = true,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        let process = try QuantSimProcess(arguments, in: folder)
        let found = try process.exitCode(withinSeconds: 60)
        let errors = process.standardError
        #expect(found == code, "\(arguments): \(errors)", sourceLocation: location)
        expectSentence(errors, naming: words, alone: alone, at: location)
        #expect(process.standardOutput.isEmpty, sourceLocation: location)
    }
}

/// One sentence on one line, the last of standard error, with all the words in it.
func expectSentence(
    _ errors: String, naming words: [String], alone: Bool = false, at location: SourceLocation = #_sourceLocation
) {
    let lines = errors.split(separator: "\n").map(String.init)
    let sentence = lines.last ?? ""
    #expect(errors.hasSuffix("\n"), sourceLocation: location)
    #expect(sentence.hasPrefix("Error: "), "\(errors)", sourceLocation: location)
    #expect(lines.count { $0.hasPrefix("Error: ") } == 1, "\(errors)", sourceLocation: location)
    if alone { #expect(lines.count == 1, "\(errors)", sourceLocation: location) }
    for word in words {
        #expect(sentence.contains(word), "\"\(word)\" is not in: \(sentence)", sourceLocation: location)
    }
}

extension SpoiledJob {
    /// Runs the job into a folder of its own.
    /// - Returns: what its report says.
    func report(workers: Int) throws -> RunReport {
        let output = folder.appendingPathComponent("output-\(UUID().uuidString)")
        let process = try QuantSimProcess(
            ["run", file.path, "--workers", "\(workers)", "--output", output.path], in: folder)
        #expect(try process.exitCode(withinSeconds: 120) == 0, "\(process.standardError)")
        return try TestJob.report(output)
    }
}
