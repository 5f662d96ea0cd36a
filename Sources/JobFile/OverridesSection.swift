import Foundation
import Quantization
import Simulation
import Yams

// What the section `quantization` says of single quantizers, and of encodings that are given.
extension JobFile {
    /// A file whose encodings are taken in place of computed ones.
    public struct EncodingsEntry: Equatable, Sendable, Encodable {
        /// Path, as written.
        public var file: String
        /// Names or patterns; all tensors of the file where nil.
        public var tensors: [String]?
        /// Training does not move them.
        public var isFrozen: Bool

        enum CodingKeys: String, CodingKey, CaseIterable {
            case file, tensors
            case isFrozen = "frozen"
        }
    }

    /// The encodings files that the job names, in its order.
    /// - Throws: `JobError` where one cannot be read, `QuantizationError` where it is not one.
    package func encodingsSources() throws -> [EncodingsSource] {
        try (quantization.encodings ?? []).map { entry in
            let url = url(for: entry.file)
            return EncodingsSource(
                try EncodingsFile.read(readFile(url), file: url.path), name: entry.file, tensors: entry.tensors,
                isFrozen: entry.isFrozen)
        }
    }

    /// Runs `body`; errors about what stands in the section `quantization` then name the job file, the key and its line.
    package func locatingRules<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as SimulationError {
            guard error.code == .nothingSelected, let path = error.path else { throw error }
            var key = "quantization." + path
            // One name may stand in place of a list.
            if lines[key] == nil, key.hasSuffix("[0]") { key.removeLast(3) }
            throw self.error(
                .unknownChoice, key: key, expected: error.expected, found: error.found,
                suggestion: error.found.flatMap { nearestWord(to: $0, among: error.candidates) })
        }
    }
}

extension JobFile.EncodingsEntry {
    /// A path, or a mapping where there is more to say.
    init(_ value: YAMLValue) throws {
        guard case .mapping = value.kind else {
            (file, tensors, isFrozen) = (try value.text(), nil, false)
            return
        }
        let section = try YAMLSection(value, keys: CodingKeys.self)
        file = try section.required(.file).text()
        tensors = try section[.tensors].map { try names($0, "names or patterns of tensors") }
        isFrozen = try section[.isFrozen]?.boolean() ?? false
    }

    /// One, or a list.
    static func all(_ value: YAMLValue) throws -> [JobFile.EncodingsEntry] {
        guard case .list = value.kind else { return [try JobFile.EncodingsEntry(value)] }
        return try value.list(of: "files").map { try JobFile.EncodingsEntry($0) }
    }
}

extension PlacementOverride {
    /// An entry of the list: one selector, and beside it what is wanted.
    /// - Parameter percentile: what the scheme `percentile` is set to where the entry does not say; nil for the default.
    init(_ value: YAMLValue, percentile: Double?) throws {
        guard case .mapping(let mapping) = value.node else { throw value.error(.wrongType, expected: "a mapping") }
        let given = Selector.allCases.filter { selector in mapping.contains { $0.key.string == selector.rawValue } }
        guard let selector = given.first, given.count == 1 else {
            throw value.error(
                given.isEmpty ? .wrongType : .conflictingKeys,
                expected: "one of " + alternatives(Selector.allCases.map(\.rawValue)),
                found: given.isEmpty ? "none" : given.map(\.rawValue).joined(separator: " and "))
        }
        let selected = try names(value.member(selector.rawValue), "names")
        let settings = value.without(selector.rawValue)
        switch selector {
        case .tensors: self = .tensors(selected, try QuantizerOverride(settings, percentile: percentile))
        case .ops: self = .ops(selected, try NodeOverride(settings, percentile: percentile))
        case .nodes: self = .nodes(selected, try NodeOverride(settings, percentile: percentile))
        }
    }
}

extension PlacementOverride.NodeOverride {
    fileprivate init(_ value: YAMLValue, percentile: Double?) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        self.init(
            inputs: try section[.inputs].map {
                try QuantizerOverride($0, except: [.perChannel, .blockSize], percentile: percentile)
            },
            outputs: try section[.outputs].map {
                try QuantizerOverride($0, except: [.perChannel, .blockSize], percentile: percentile)
            },
            parameters: try section[.parameters].map { try QuantizerOverride($0, percentile: percentile) })
        guard inputs != nil || outputs != nil || parameters != nil else {
            throw value.error(
                .wrongType, expected: "one of " + alternatives(CodingKeys.allCases.map(\.rawValue)), found: "none")
        }
    }
}

extension QuantizerOverride {
    fileprivate init(_ value: YAMLValue, except excluded: [CodingKeys] = [], percentile defaultPercentile: Double?)
        throws
    {
        let section = try YAMLSection(value, keys: CodingKeys.self, except: excluded)
        self.init()
        enabled = try section[.enabled]?.boolean()
        bitwidth = try section[.bitwidth]?.integer(in: JobFile.Quantization.bitwidths)
        symmetric = try section[.symmetric]?.boolean()
        strictSymmetric = try section[.strictSymmetric]?.boolean()
        unsignedSymmetric = try section[.unsignedSymmetric]?.boolean()
        for key in [CodingKeys.strictSymmetric, .unsignedSymmetric] where symmetric == false {
            if let entry = section[key], try entry.boolean() {
                throw entry.error(.conflictingKeys, expected: "symmetric: true", found: "symmetric: false")
            }
        }
        scheme = try section[.scheme]?.choice(of: Scheme.Name.self)
        if scheme == .percentile { percentile = defaultPercentile }
        if let percent = section[.percentile] {
            percentile = try percent.number("a number above 50, at most 100", where: Scheme.isPercentile)
            guard scheme == .percentile else {
                throw percent.error(
                    .conflictingKeys, expected: "scheme: percentile beside it",
                    found: scheme.map { "scheme: \($0.rawValue)" } ?? "no scheme")
            }
        }
        perChannel = try section[.perChannel]?.boolean()
        blockSize = try section[.blockSize]?.integer(in: 1...Int(Int32.max))
        if let entry = section[.blockSize], perChannel == false {
            throw entry.error(.conflictingKeys, expected: "per_channel: true", found: "per_channel: false")
        }
        dataType = try section[.dataType]?.choice(of: DataType.self)
        if dataType == .float16,
            let (key, entry) = CodingKeys.ofIntegers.lazy.compactMap({ key in section[key].map { (key, $0) } }).first
        {
            throw entry.error(
                .conflictingKeys, expected: "dtype: int beside \(key.rawValue)", found: "dtype: float16")
        }
        range = try section[.range].map(Self.range)
        guard self != QuantizerOverride() else {
            throw value.error(
                .wrongType,
                expected: "one of "
                    + alternatives(CodingKeys.allCases.filter { !excluded.contains($0) }.map(\.rawValue)),
                found: "none")
        }
    }

    private static func range(_ value: YAMLValue) throws -> EncodingConstraints {
        let limit = Double(Float.greatestFiniteMagnitude) / 2
        let ends = try value.list(count: 2, of: "numbers (min, max)").map {
            try $0.number("an end of a range of float32") { abs($0) <= limit }
        }
        guard ends[0] <= 0, ends[1] >= 0, ends[0] < ends[1] else {
            throw value.error(
                .outOfRange, expected: "min below max, with zero between them", found: "[\(ends[0]), \(ends[1])]")
        }
        return EncodingConstraints(min: ends[0], max: ends[1])
    }
}

/// A list of names, or one.
private func names(_ value: YAMLValue, _ items: String) throws -> [String] {
    guard case .list = value.kind else { return [try value.text()] }
    let names = try value.list(of: items).map { try $0.text() }
    guard !names.isEmpty else { throw value.error(.outOfRange, expected: "at least one") }
    return names
}

extension YAMLValue {
    /// The mapping without one of its keys.
    fileprivate func without(_ name: String) -> YAMLValue {
        guard case .mapping(var mapping) = node else { return self }
        mapping[Yams.Node(name)] = nil
        return YAMLValue(node: .mapping(mapping), key: key, line: line, file: file)
    }

    /// The value of a key that a mapping has.
    fileprivate func member(_ name: String) -> YAMLValue {
        guard case .mapping(let mapping) = node,
            let pair = mapping.first(where: { $0.key.string == name })
        else { return self }
        return YAMLValue(node: pair.value, key: "\(key).\(name)", line: pair.key.mark?.line ?? line, file: file)
    }
}
