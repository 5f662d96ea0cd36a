import Foundation
import Quantization
import Support

/// What the user asks for: one model, its data, how to quantize it and what to write. Values are as in the file, with
/// defaults filled in; they have been checked one by one, but no file that they name has been touched.
public struct JobFile: Equatable, Sendable, Encodable {
    /// Path of the ONNX model, as written; see `url(for:)`.
    public var model: String
    /// The section `dataset`.
    public var dataset: Dataset
    /// The section `quantization`; its defaults where the file has none.
    public var quantization: Quantization
    /// In the order of the file.
    public var postTraining: [PostTrainingStage]
    /// Nil where the job does not train.
    public var training: Training?
    /// Nil where the job analyzes nothing.
    public var analysis: Analysis?
    /// The section `export`; its defaults where the file has none.
    public var export: Export
    /// The vector instructions that workers compute with; nil (`auto` in the file and in reports) is the widest that the
    /// coordinator's machine has.
    public var instructionSet: InstructionSet?

    /// The job file's own path as the user gave it; relative paths in the job are relative to its folder.
    public var file = ""
    /// Line (from 1) of every key path in the file, for errors found after reading.
    public var lines: [String: Int] = [:]

    // In every type here the coding keys are the keys of the job file: `YAMLSection` checks against them, and the report
    // repeats the job in them.
    enum CodingKeys: String, CodingKey, CaseIterable {
        case model, dataset, quantization
        case postTraining = "post_training"
        case training, analysis, export
        case instructionSet = "instruction_set"
    }

    /// Where a path of the job lies: relative paths start at the job file's folder.
    public func url(for path: String) -> URL {
        URL(fileURLWithPath: path, relativeTo: folder).standardizedFileURL
    }

    /// The folder that relative paths of the job start at.
    public var folder: URL {
        URL(fileURLWithPath: file).standardizedFileURL.deletingLastPathComponent()
    }

    /// An error about a key of this job, with its file and line.
    public func error(
        _ code: JobError.Code, key: String, expected: String? = nil, found: String? = nil, suggestion: String? = nil
    ) -> JobError {
        JobError(
            code, file: file, key: key, line: lines[key], expected: expected, found: found, suggestion: suggestion)
    }

    /// What is done to a model without training, in the order in which it is done.
    public enum PostTrainingStage: String, CaseIterable, Sendable, Encodable {
        case foldBatchNorms = "fold_batch_norms"
        case crossLayerEqualization = "cross_layer_equalization"
        case sequentialMSE = "sequential_mse"
        case adaptiveRounding = "adaround"
        case biasCorrection = "bias_correction"
    }

    /// What each quantizer does to the output.
    public struct Analysis: Equatable, Sendable, Encodable {
        /// The first so many evaluation samples, of calibration samples where there are none; all where nil.
        public var samples: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case samples
        }
    }

    /// Which files are written beside the model and the report.
    public struct Export: Equatable, Sendable, Encodable {
        /// Versions of the encodings file, in the order of the job file.
        public var encodings = [EncodingsFile.Version.v1_0_0]
        /// Whether the model is written with QuantizeLinear and DequantizeLinear nodes too.
        public var onnxQDQ = false

        enum CodingKeys: String, CodingKey, CaseIterable {
            case encodings
            case onnxQDQ = "onnx_qdq"
        }
    }

    /// The words that an instruction set is written as.
    enum InstructionSetWord: String, CaseIterable, Encodable {
        case auto, avx2, avx512

        init(_ instructionSet: InstructionSet?) {
            self = instructionSet.flatMap { Self(rawValue: $0.rawValue) } ?? .auto
        }

        var instructionSet: InstructionSet? { InstructionSet(rawValue: rawValue) }
    }

    /// In the keys of the job file, with what was left open.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(model, forKey: .model)
        try container.encode(dataset, forKey: .dataset)
        try container.encode(quantization, forKey: .quantization)
        try container.encode(postTraining, forKey: .postTraining)
        try container.encodeIfPresent(training, forKey: .training)
        try container.encodeIfPresent(analysis, forKey: .analysis)
        try container.encode(export, forKey: .export)
        try container.encode(InstructionSetWord(instructionSet), forKey: .instructionSet)
    }
}

extension JobFile {
    /// Reads a job file.
    /// - Throws: `JobError` naming the file, and the key and line where there is one.
    public static func read(_ path: String) throws -> JobFile {
        let data: Data
        do throws(UnreadableFile) {
            data = try RegularFile.read(URL(fileURLWithPath: path))
        } catch {
            throw JobError(error, file: path)
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw JobError(.invalidYAML, file: path, expected: "text in UTF-8")
        }
        return try JobFile(decoding: text, file: path)
    }

    /// Reads the text of a job file. Every key is checked: unknown keys, wrong types and values out of range are errors.
    /// - Parameter file: the job file's path, for errors and for relative paths; nothing is read from it.
    public init(decoding text: String, file: String) throws {
        let document = try YAMLDocument(text, file: file)
        let section = try YAMLSection(document.root, keys: CodingKeys.self)
        self.file = file
        lines = document.lines
        model = try section.required(.model).text()
        dataset = try Dataset(section.required(.dataset))
        quantization = try section[.quantization].map { try Quantization($0) } ?? Quantization()
        training = try section[.training].map { try Training($0) }
        analysis = try section[.analysis].map { try Analysis($0) }
        postTraining = try section[.postTraining].map(stages) ?? []
        export = try section[.export].map { try Export($0) } ?? Export()
        instructionSet = try section[.instructionSet]?.choice(of: InstructionSetWord.self).instructionSet
        try settleBatchNorms(stagesAreGiven: section[.postTraining] != nil)
        if training != nil, dataset.training == nil {
            throw error(.missingKey, key: "dataset.training")
        }
        try checkTrainingEvaluation()
    }
}

private func stages(_ value: YAMLValue) throws -> [JobFile.PostTrainingStage] {
    try withoutRepetition(value.list(of: "stages")) { try $0.choice(of: JobFile.PostTrainingStage.self) }
}

/// Reads each item, refusing one that was there before.
private func withoutRepetition<Item: Equatable>(
    _ values: [YAMLValue], _ read: (YAMLValue) throws -> Item
) throws -> [Item] {
    var items: [Item] = []
    for value in values {
        let item = try read(value)
        guard !items.contains(item) else { throw value.error(.duplicateKey) }
        items.append(item)
    }
    return items
}

extension JobFile.Analysis {
    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        samples = try section[.samples]?.integer(in: 1...Int.max)
    }
}

extension JobFile.Export {
    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        if let list = section[.encodings] {
            encodings = try withoutRepetition(list.list(of: "versions")) {
                try $0.choice(of: EncodingsFile.Version.self)
            }
            guard !encodings.isEmpty else { throw list.error(.outOfRange, expected: "at least one version") }
        }
        if let flag = section[.onnxQDQ] { onnxQDQ = try flag.boolean() }
    }
}
