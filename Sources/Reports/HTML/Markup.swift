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

extension Markup {
    /// Parts one behind the other.
    static func group(_ parts: [Markup]) -> Markup {
        parts.allSatisfy { $0 == .nothing } ? .nothing : .element("div", [:], parts)
    }

    /// A drawing with its title.
    static func figure(
        _ title: String, height: Double, legend: [(String, String)] = [], _ drawing: [Markup]
    ) -> Markup {
        let keys: [Markup] = legend.map { name, style in
            .element("span", ["class": "key"], [.element("i", ["class": style], []), .text(name)])
        }
        return .element(
            "figure", [:],
            [
                .element("figcaption", [:], [.element("span", ["class": "title"], title)] + keys),
                .element(
                    "svg",
                    ["viewBox": "0 0 720 \(Int(height.rounded(.up)))", "role": "img", "aria-label": title], drawing),
            ])
    }

    /// The name of a row at the left, its end where it is long: that tells names apart.
    static func rowName(_ name: String, top: Double) -> Markup {
        let shown = name.count > 34 ? "…" + name.suffix(33) : name
        return .element(
            "text",
            ["class": "label end", "x": pixels(BarChart.nameWidth - 8), "y": pixels(top + 13)],
            [.text(shown), .element("title", [:], name)])
    }
}

/// A tenth of a pixel is finer than any screen.
func pixels(_ value: Double) -> String { String(format: "%.1f", value) }
