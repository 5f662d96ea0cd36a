import Yams

/// A mapping of the job file whose keys are those of `Key`, no others.
struct YAMLSection<Key: RawRepresentable<String> & CaseIterable & Equatable> {
    private let value: YAMLValue
    private let entries: [String: YAMLValue]

    /// - Throws: `JobError` where the value is no mapping, or has a key that the format does not know.
    init(_ value: YAMLValue, keys: Key.Type, except excluded: [Key] = []) throws {
        guard case .mapping(let mapping) = value.node else { throw value.error(.wrongType, expected: "a mapping") }
        let known = Key.allCases.filter { !excluded.contains($0) }.map(\.rawValue)
        var entries: [String: YAMLValue] = [:]
        for (keyNode, node) in mapping {
            let name = keyNode.scalar?.string ?? ""
            let path = value.key.isEmpty ? name : "\(value.key).\(name)"
            let entry = YAMLValue(node: node, key: path, line: keyNode.mark?.line, file: value.file)
            guard known.contains(name) else {
                throw entry.error(
                    .unknownKey, expected: alternatives(known), found: name,
                    suggestion: nearestWord(to: name, among: known))
            }
            entries[name] = entry
        }
        self.value = value
        self.entries = entries
    }

    subscript(key: Key) -> YAMLValue? { entries[key.rawValue] }

    /// Refuses keys that do not belong to what another key has chosen.
    /// - Parameters:
    ///   - own: the keys that do.
    ///   - choice: what was chosen, for the error.
    /// - Throws: `JobError(.conflictingKeys)`.
    func refuse(except own: [Key], of choice: String) throws {
        for key in Key.allCases where !own.contains(key) {
            guard let entry = self[key] else { continue }
            throw entry.error(
                .conflictingKeys, expected: "a key of \(choice): \(alternatives(own.map(\.rawValue)))",
                found: key.rawValue)
        }
    }

    func required(_ key: Key) throws -> YAMLValue {
        if let entry = self[key] { return entry }
        let path = value.key.isEmpty ? key.rawValue : "\(value.key).\(key.rawValue)"
        throw JobError(.missingKey, file: value.file, key: path, line: value.line)
    }
}
