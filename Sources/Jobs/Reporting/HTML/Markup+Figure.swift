import Foundation

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
