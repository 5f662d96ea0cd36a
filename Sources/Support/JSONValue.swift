import Foundation

/// A JSON document as a value, for readers that name the path of whatever is wrong.
package enum JSONValue: Equatable, Sendable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    /// Only for writing, without a fraction; every number that is read is a `number`.
    case integer(Int)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// - Throws: `DecodingError` where the bytes are not JSON.
    package static func parse(_ data: Data) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: data)
    }

    /// Any JSON value; every number becomes a `number`.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    /// A short text of the value for errors: scalars as they are, the rest by kind.
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let value): JSONText.plain(value)
        case .integer(let value): "\(value)"
        case .string(let value): "\"\(value.prefix(80))\""
        case .array(let values): "a list of \(values.count)"
        case .object: "an object"
        }
    }
}

/// Deterministic JSON: equal values are equal bytes.
package enum JSONText {
    /// Four spaces per level, keys in ascending order of their Unicode scalars.
    package static func document(_ value: JSONValue) -> String {
        var text = ""
        write(value, indentation: "", to: &text)
        return text + "\n"
    }

    /// A number as one would write it by hand.
    static func plain(_ value: Double) -> String {
        Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private static func write(_ value: JSONValue, indentation: String, to text: inout String) {
        switch value {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        // The fewest digits that are read as the same number, with a fraction or an exponent.
        case .number(let value): text += "\(value)"
        case .integer(let value): text += "\(value)"
        case .string(let value): text += string(value)
        case .array(let values):
            writeItems(values, indentation, brackets: ("[", "]"), to: &text) { write($0, indentation: $1, to: &$2) }
        case .object(let members):
            let sorted = members.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
            writeItems(sorted, indentation, brackets: ("{", "}"), to: &text) { member, inner, text in
                text += string(member.key) + ": "
                write(member.value, indentation: inner, to: &text)
            }
        }
    }

    private static func writeItems<Item>(
        _ items: [Item], _ indentation: String, brackets: (String, String), to text: inout String,
        _ writeItem: (Item, String, inout String) -> Void
    ) {
        text += brackets.0
        let inner = indentation + "    "
        for (index, item) in items.enumerated() {
            text += (index == 0 ? "\n" : ",\n") + inner
            writeItem(item, inner, &text)
        }
        text += (items.isEmpty ? "" : "\n" + indentation) + brackets.1
    }

    /// With everything that JSON wants escaped, and nothing else.
    static func string(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
