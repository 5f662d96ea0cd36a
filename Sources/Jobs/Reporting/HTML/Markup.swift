/// HTML or SVG. Text and the values of attributes are escaped as they enter, so nothing of a job becomes markup.
struct Markup: Equatable {
    let source: String

    private init(source: String) { self.source = source }

    /// Text, as a reader is to see it.
    static func text(_ text: String) -> Markup { Markup(source: escaped(text)) }

    /// What stands in this program, such as a style sheet.
    static func verbatim(_ text: StaticString) -> Markup { Markup(source: "\(text)") }

    static let nothing = Markup(source: "")

    /// `<name attributes>children</name>`.
    static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:], _ children: [Markup]
    ) -> Markup {
        var source = "<\(name)"
        for (key, value) in attributes { source += " \(key)=\"\(escaped(value))\"" }
        source += ">"
        for child in children { source += child.source }
        return Markup(source: source + "</\(name)>")
    }

    static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:], _ text: String
    ) -> Markup {
        element(name, attributes, [.text(text)])
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\n", "\t": result.unicodeScalars.append(scalar)
            // Characters that no document may hold.
            case _ where scalar.properties.generalCategory == .control: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
