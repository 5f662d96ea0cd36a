import Foundation
import Quantization
import Simulation
import Yams

extension JobFile {
    /// Reads a job file and refuses what this version cannot do.
    /// - Throws: `JobError` naming the file, and the key and line where there is one.
    public static func read(_ path: String) throws -> JobFile {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw JobError(unreadable: path, error)
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw JobError(.invalidYAML, file: path, expected: "text in UTF-8")
        }
        let job = try JobFile(decoding: text, file: path)
        try job.checkSupported()
        return job
    }

    /// Reads the text of a job file. Every key is checked: unknown keys, wrong types and values out of range are errors.
    /// - Parameter file: the job file's path, for errors and for relative paths; nothing is read from it.
    public init(decoding text: String, file: String) throws {
        let root = YAMLValue(node: try composed(text, file: file), key: "", line: nil, file: file)
        let section = try YAMLSection(root, keys: CodingKeys.self)
        self.file = file
        self.lines = keyLines(of: root.node)
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

private func composed(_ text: String, file: String) throws -> Yams.Node {
    do {
        return try Yams.compose(yaml: text) ?? Yams.Node("", .implicit, .plain)
    } catch let error as YamlError {
        throw JobError(error, file: file)
    }
}

/// Line of each key under `node`, by key path.
private func keyLines(of node: Yams.Node, under path: String = "") -> [String: Int] {
    var lines: [String: Int] = [:]
    switch node {
    case .mapping(let mapping):
        for (keyNode, child) in mapping {
            let name = keyNode.scalar?.string ?? ""
            let childPath = path.isEmpty ? name : "\(path).\(name)"
            lines[childPath] = keyNode.mark?.line
            lines.merge(keyLines(of: child, under: childPath)) { first, _ in first }
        }
    case .sequence(let sequence):
        for (index, child) in sequence.enumerated() {
            let childPath = "\(path)[\(index)]"
            lines[childPath] = child.mark?.line
            lines.merge(keyLines(of: child, under: childPath)) { first, _ in first }
        }
    case .scalar, .alias:
        break
    }
    return lines
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

extension JobFile.Quantization {
    /// Grids of more than 16 bits are finer than the float arithmetic that simulates them.
    public static let bitwidths = 2...16

    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        if let config = section[.config] { self.config = try JobFile.ConfigSource(config) }
        if let scheme = section[.scheme] { self.scheme = try scheme.choice(of: Scheme.Name.self) }
        activationScheme = try section[.activationScheme]?.choice(of: Scheme.Name.self)
        parameterScheme = try section[.parameterScheme]?.choice(of: Scheme.Name.self)
        if let percent = section[.percentile] { percentile = try readPercentile(percent) }
        if let bitwidth = section[.activationBitwidth] { activationBitwidth = try bitwidth.integer(in: Self.bitwidths) }
        if let bitwidth = section[.parameterBitwidth] { parameterBitwidth = try bitwidth.integer(in: Self.bitwidths) }
        let percentile = percentile
        overrides = try section[.overrides]?.list(of: "overrides").map {
            try PlacementOverride($0, percentile: percentile)
        }
        encodings = try section[.encodings].map { try JobFile.EncodingsEntry.all($0) }
    }

    private func readPercentile(_ value: YAMLValue) throws -> Double {
        let percent = try value.number("a number above 50, at most 100", where: Scheme.isPercentile)
        let names = (activations: schemes.activations.name, parameters: schemes.parameters.name)
        guard names.activations == .percentile || names.parameters == .percentile else {
            throw value.error(
                .conflictingKeys, expected: "the scheme percentile for activations or parameters",
                found: Set([names.activations.rawValue, names.parameters.rawValue]).sorted().joined(separator: " and "))
        }
        return percent
    }
}

extension JobFile.ConfigSource {
    init(_ value: YAMLValue) throws {
        let text = try value.text()
        self.init(text)
        if case .named = self, !Self.names.contains(text) {
            throw value.error(
                .unknownChoice, expected: alternatives(Self.names + ["the path of a config file"]),
                suggestion: nearestWord(to: text, among: Self.names))
        }
    }
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
                try $0.choice(of: JobFile.EncodingsVersion.self)
            }
            guard !encodings.isEmpty else { throw list.error(.outOfRange, expected: "at least one version") }
        }
        if let flag = section[.onnxQDQ] { onnxQDQ = try flag.boolean() }
    }
}
