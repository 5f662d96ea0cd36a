import Foundation

/// A JSON file that does not say what it should. Data only: each module that reads such files makes its own error of it.
public struct JSONError: Error, Equatable, Sendable {
    /// What is wrong with the file.
    public enum Code: String, Sendable {
        /// Not JSON.
        case malformed
        /// The version of the format is not known.
        case unsupportedVersion
        case missingKey
        case unknownKey
        case invalidValue
        /// Well formed, but something that is not built or is refused.
        case unsupported
        /// More or fewer elements than another part of the file says.
        case lengthMismatch
    }

    /// What is wrong.
    public var code: Code
    /// The file as the caller names it.
    public var file: String
    /// Where in the file, such as `op_type.Relu.encoding_constraints.min`; nil for the file as a whole.
    public var path: String?
    /// What the grammar wants there.
    public var expected: String?
    /// What is there, in short.
    public var found: String?

    public init(_ code: Code, file: String, path: String? = nil, expected: String? = nil, found: String? = nil) {
        self.code = code
        self.file = file
        self.path = path
        self.expected = expected
        self.found = found
    }
}

/// A place in a JSON document that knows its path, so that whoever reads a value can say where it is wrong.
package struct JSONCursor {
    /// What is at the place.
    package let value: JSONValue
    /// What errors call the file.
    package let file: String
    /// Empty for the document.
    package let path: String

    /// The document.
    /// - Parameter file: what errors call it.
    /// - Throws: `JSONError(.malformed)` where the bytes are not JSON.
    package init(_ data: Data, file: String) throws(JSONError) {
        do {
            self.init(value: try JSONValue.parse(data), file: file, path: "")
        } catch {
            throw JSONError(.malformed, file: file, expected: "JSON")
        }
    }

    private init(value: JSONValue, file: String, path: String) {
        self.value = value
        self.file = file
        self.path = path
    }

    /// An error that tells this place and what is there.
    package func error(_ code: JSONError.Code = .invalidValue, expected: String) -> JSONError {
        JSONError(code, file: file, path: path, expected: expected, found: value.summary)
    }

    /// The members of an object, in ascending order of their keys.
    package func members() throws(JSONError) -> [(key: String, value: JSONCursor)] {
        guard case .object(let members) = value else { throw error(expected: "an object") }
        return members.sorted { $0.key < $1.key }.map { ($0.key, member($0.key, $0.value)) }
    }

    /// The members of an object that has no keys but those known, and all those required.
    package func members(
        _ known: [String], required: [String] = []
    ) throws(JSONError) -> [String: JSONCursor] {
        var found: [String: JSONCursor] = [:]
        for (key, cursor) in try members() {
            guard known.contains(key) else {
                throw JSONError(
                    .unknownKey, file: file, path: cursor.path, expected: known.joined(separator: ", "), found: key)
            }
            found[key] = cursor
        }
        for key in required where found[key] == nil { throw missing(key) }
        return found
    }

    /// The member of an object; nil where there is none of this key.
    package func optional(_ key: String) throws(JSONError) -> JSONCursor? {
        guard case .object(let members) = value else { throw error(expected: "an object") }
        return members[key].map { member(key, $0) }
    }

    /// The member of an object; `JSONError(.missingKey)` where there is none of this key.
    package func required(_ key: String) throws(JSONError) -> JSONCursor {
        guard let member = try optional(key) else { throw missing(key) }
        return member
    }

    /// The error of an object that lacks a key.
    package func missing(_ key: String) -> JSONError {
        JSONError(.missingKey, file: file, path: path(of: key))
    }

    /// The elements of a list, in order.
    package func elements() throws(JSONError) -> [JSONCursor] {
        guard case .array(let values) = value else { throw error(expected: "a list") }
        return values.enumerated().map { JSONCursor(value: $1, file: file, path: "\(path)[\($0)]") }
    }

    /// A string.
    package func string() throws(JSONError) -> String {
        guard case .string(let text) = value else { throw error(expected: "a string") }
        return text
    }

    /// True or false, or the strings that some writers have for them.
    package func bool() throws(JSONError) -> Bool {
        switch value {
        case .bool(let value): return value
        case .string("True"), .string("true"): return true
        case .string("False"), .string("false"): return false
        default: throw error(expected: "true or false")
        }
    }

    /// `"True"` or `"False"`, in grammars whose booleans are strings and nothing else.
    package func boolText() throws(JSONError) -> Bool {
        switch value {
        case .string("True"): return true
        case .string("False"): return false
        default: throw error(expected: "\"True\" or \"False\"")
        }
    }

    /// A finite number.
    package func number() throws(JSONError) -> Double {
        guard case .number(let number) = value, number.isFinite else { throw error(expected: "a number") }
        return number
    }

    /// A number without a fraction in a range.
    package func integer(in range: ClosedRange<Int>) throws(JSONError) -> Int {
        guard case .number(let number) = value, let integer = Int(exactly: number), range.contains(integer) else {
            throw error(expected: "an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    private func path(of key: String) -> String { path.isEmpty ? key : path + "." + key }

    private func member(_ key: String, _ value: JSONValue) -> JSONCursor {
        JSONCursor(value: value, file: file, path: path(of: key))
    }
}
