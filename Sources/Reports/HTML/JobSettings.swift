import Foundation
import JobFile
import Quantization
import Support

/// The settings of a job as rows: paths of keys, and values as one would write them.
enum JobSettings {
    /// In the order of the job file; what it does not say follows in the order of the keys.
    static func of(_ job: JobFile) -> [(key: String, value: String)] {
        guard let data = try? JSONEncoder().encode(job), let value = try? JSONValue.parse(data) else { return [] }
        var rows: [(key: String, value: String)] = []
        collect(value, "", into: &rows)
        // Within a line, such as a mapping in braces, keys are in their order.
        func line(_ key: String) -> Int { job.lines[key] ?? .max }
        return rows.sorted { (line($0.key), $0.key) < (line($1.key), $1.key) }
    }

    private static func collect(_ value: JSONValue, _ path: String, into rows: inout [(key: String, value: String)]) {
        switch value {
        case .object(let members):
            for (key, member) in members { collect(member, path.isEmpty ? key : "\(path).\(key)", into: &rows) }
        case .array(let items) where items.contains(where: \.isObject):
            for (index, item) in items.enumerated() { collect(item, "\(path)[\(index)]", into: &rows) }
        default: rows.append((path, text(value)))
        }
    }

    private static func text(_ value: JSONValue) -> String {
        switch value {
        case .array(let values): values.map(text).joined(separator: ", ")
        case .string(let text): text
        default: value.summary
        }
    }
}

extension JSONValue {
    fileprivate var isObject: Bool {
        if case .object = self { return true }
        return false
    }
}
