/// A place in a JSON document that knows its path, so that whoever reads a value can say where it is wrong.
struct JSONCursor {
    let value: JSONValue
    let file: String
    let path: String

    func error(_ code: QuantizationError.Code = .invalidValue, expected: String) -> QuantizationError {
        QuantizationError(code, file: file, key: path, expected: expected, found: value.summary)
    }

    private func child(_ value: JSONValue, _ suffix: String) -> JSONCursor {
        JSONCursor(value: value, file: file, path: path + suffix)
    }

    /// The members of an object in ascending order of their keys.
    func members() throws(QuantizationError) -> [(key: String, value: JSONCursor)] {
        guard case .object(let members) = value else { throw error(expected: "an object") }
        return members.sorted { $0.key < $1.key }
            .map { ($0.key, child($0.value, (path.isEmpty ? "" : ".") + $0.key)) }
    }

    func optional(_ key: String) throws(QuantizationError) -> JSONCursor? {
        guard case .object(let members) = value else { throw error(expected: "an object") }
        return members[key].map { child($0, (path.isEmpty ? "" : ".") + key) }
    }

    func required(_ key: String) throws(QuantizationError) -> JSONCursor {
        if let member = try optional(key) { return member }
        throw QuantizationError(.missingKey, file: file, key: path.isEmpty ? key : path + "." + key)
    }

    func elements() throws(QuantizationError) -> [JSONCursor] {
        guard case .array(let values) = value else { throw error(expected: "a list") }
        return values.enumerated().map { child($0.element, "[\($0.offset)]") }
    }

    func string() throws(QuantizationError) -> String {
        guard case .string(let text) = value else { throw error(expected: "a string") }
        return text
    }

    /// True or false, or the strings that some writers have for them.
    func bool() throws(QuantizationError) -> Bool {
        switch value {
        case .bool(let value): return value
        case .string("True"), .string("true"): return true
        case .string("False"), .string("false"): return false
        default: throw error(expected: "true or false")
        }
    }

    func number() throws(QuantizationError) -> Double {
        guard case .number(let number) = value, number.isFinite else { throw error(expected: "a number") }
        return number
    }

    func integer(in range: ClosedRange<Int>) throws(QuantizationError) -> Int {
        guard case .number(let number) = value, let integer = Int(exactly: number), range.contains(integer) else {
            throw error(expected: "an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }
}
