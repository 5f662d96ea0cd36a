import Quantization

/// A place in a config file that knows its path, so that whoever reads a value can say where it is wrong.
struct ConfigCursor {
    let value: JSONValue
    let file: String
    let path: String

    func error(_ code: SimulationError.Code = .invalidValue, expected: String) -> SimulationError {
        SimulationError(code, file: file, path: path, expected: expected, found: value.summary)
    }

    /// The members of an object, in ascending order of their keys.
    func members() throws(SimulationError) -> [(key: String, value: ConfigCursor)] {
        guard case .object(let members) = value else { throw error(expected: "an object") }
        return members.sorted { $0.key < $1.key }.map { key, value in
            (key, ConfigCursor(value: value, file: file, path: path.isEmpty ? key : path + "." + key))
        }
    }

    /// The members of an object that has no keys but those known, and all those required.
    func members(_ known: [String], required: [String] = []) throws(SimulationError) -> [String: ConfigCursor] {
        var found: [String: ConfigCursor] = [:]
        for (key, cursor) in try members() {
            guard known.contains(key) else {
                throw SimulationError(
                    .unknownKey, file: file, path: cursor.path, expected: known.joined(separator: ", "), found: key)
            }
            found[key] = cursor
        }
        for key in required where found[key] == nil {
            throw SimulationError(.missingKey, file: file, path: path.isEmpty ? key : path + "." + key)
        }
        return found
    }

    func elements() throws(SimulationError) -> [ConfigCursor] {
        guard case .array(let values) = value else { throw error(expected: "a list") }
        return values.enumerated().map { index, value in
            ConfigCursor(value: value, file: file, path: "\(path)[\(index)]")
        }
    }

    func string() throws(SimulationError) -> String {
        guard case .string(let text) = value else { throw error(expected: "a string") }
        return text
    }

    /// The grammar's booleans are strings.
    func bool() throws(SimulationError) -> Bool {
        switch value {
        case .string("True"): return true
        case .string("False"): return false
        default: throw error(expected: "\"True\" or \"False\"")
        }
    }

    func number() throws(SimulationError) -> Double {
        guard case .number(let number) = value, number.isFinite else { throw error(expected: "a number") }
        return number
    }
}
