import Yams

/// The text of a job file, read.
struct YAMLDocument {
    let root: YAMLValue
    /// Line (from 1) of each key, by key path.
    let lines: [String: Int]

    /// - Throws: `JobError` (`.invalidYAML`, `.duplicateKey`).
    init(_ text: String, file: String) throws {
        let node: Yams.Node
        do {
            node = try Yams.compose(yaml: text) ?? Yams.Node("", .implicit, .plain)
        } catch let error as YamlError {
            throw JobError(error, file: file)
        }
        root = YAMLValue(node: node, key: "", line: nil, file: file)
        lines = keyLines(of: node)
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
