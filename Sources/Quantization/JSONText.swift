/// The deterministic JSON that encodings files are written in.
enum JSONText {
    /// Four spaces per level, keys in ascending order of their Unicode scalars.
    static func document(_ value: JSONValue) -> String {
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
