import Foundation

/// Horizontal bars with names, drawn as SVG.
struct BarChart {
    struct Bar {
        var name: String
        /// Which colour, see `PageStyle`.
        var style: String
        /// No bar where nil.
        var value: Double?
    }

    /// More would be read by nobody; tables hold all.
    static let limit = 80
    static let width = 720.0
    static let rowHeight = 18.0
    static let nameWidth = 250.0

    var title: String
    /// Behind each value.
    var unit = ""
    var bars: [Bar]
    var legend: [(name: String, style: String)] = []

    /// Nothing where there are no bars.
    func markup() -> Markup {
        guard !bars.isEmpty else { return .nothing }
        let values = bars.compactMap(\.value).filter(\.isFinite)
        let scale = AxisScale(covering: min(values.min() ?? 0, 0)...max(values.max() ?? 0, 0), ticks: 5)
        func x(_ value: Double) -> Double {
            Self.nameWidth + scale.fraction(value) * (Self.width - Self.nameWidth - 70)
        }
        var drawing: [Markup] = []
        for (row, bar) in bars.enumerated() {
            let top = Double(row) * Self.rowHeight
            drawing.append(.rowName(bar.name, top: top))
            guard let value = bar.value, value.isFinite else { continue }
            let (from, to) = (min(x(0), x(value)), max(x(0), x(value)))
            drawing.append(
                .element(
                    "rect",
                    [
                        "class": "dot \(bar.style)", "x": pixels(from), "y": pixels(top + 3),
                        "width": pixels(max(to - from, 0.5)), "height": "12",
                    ], []))
            drawing.append(
                .element(
                    "text", ["class": "label", "x": pixels(to + 6), "y": pixels(top + 13)],
                    String(format: "%.1f", value) + unit))
        }
        return .figure(
            title, height: Double(bars.count) * Self.rowHeight + 4,
            legend: legend.map { ($0.name, $0.style) }, drawing)
    }
}
