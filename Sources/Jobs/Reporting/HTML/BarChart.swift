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
    fileprivate static func rowName(_ name: String, top: Double) -> Markup {
        let shown = name.count > 34 ? "…" + name.suffix(33) : name
        return .element(
            "text",
            ["class": "label end", "x": pixels(BarChart.nameWidth - 8), "y": pixels(top + 13)],
            [.text(shown), .element("title", [:], name)])
    }
}

/// Ranges of values as bars, those of encodings as frames around them.
struct RangeChart {
    struct Row {
        var name: String
        var values: ClosedRange<Double>
        var encoding: ClosedRange<Double>
    }

    static let limit = 200

    var title: String
    var rows: [Row]

    func markup() -> Markup {
        guard !rows.isEmpty else { return .nothing }
        let ends = rows.flatMap {
            [$0.values.lowerBound, $0.values.upperBound, $0.encoding.lowerBound, $0.encoding.upperBound]
        }
        let scale = AxisScale(covering: min(ends.min() ?? 0, 0)...max(ends.max() ?? 0, 0), ticks: 6)
        func x(_ value: Double) -> Double {
            BarChart.nameWidth + scale.fraction(value) * (BarChart.width - BarChart.nameWidth - 20)
        }
        func box(_ range: ClosedRange<Double>, _ style: String, top: Double, height: Double) -> Markup {
            .element(
                "rect",
                [
                    "class": style, "x": pixels(x(range.lowerBound)), "y": pixels(top),
                    "width": pixels(max(x(range.upperBound) - x(range.lowerBound), 0.5)), "height": pixels(height),
                ], [])
        }
        let height = Double(rows.count) * BarChart.rowHeight
        var drawing: [Markup] = scale.ticks.flatMap { tick -> [Markup] in
            [
                .element(
                    "line",
                    ["class": "grid", "x1": pixels(x(tick)), "x2": pixels(x(tick)), "y1": "0", "y2": pixels(height)],
                    []),
                .element(
                    "text", ["class": "label middle", "x": pixels(x(tick)), "y": pixels(height + 14)], scale.label(tick)
                ),
            ]
        }
        for (index, row) in rows.enumerated() {
            let top = Double(index) * BarChart.rowHeight
            drawing.append(.rowName(row.name, top: top))
            drawing.append(box(row.values, "dot s1", top: top + 5, height: 8))
            drawing.append(box(row.encoding, "frame s2", top: top + 2, height: 14))
        }
        return .figure(title, height: height + 20, legend: [("values", "s1"), ("encoding", "s2")], drawing)
    }
}

/// The histogram of a tensor in a small box.
struct HistogramDrawing {
    private static let width = 228.0
    private static let height = 70.0

    private let tensor: Analysis.TensorSummary
    private let bins: Analysis.TensorSummary.Bins

    /// Nil where there is nothing to draw.
    init?(_ tensor: Analysis.TensorSummary) {
        guard let bins = tensor.histogram else { return nil }
        (self.tensor, self.bins) = (tensor, bins)
    }

    func markup() -> Markup {
        let end = bins.start + bins.width * Double(bins.counts.count)
        let grid = tensor.encodingRange
        let (low, high) = (min(bins.start, grid?.lowerBound ?? bins.start), max(end, grid?.upperBound ?? end))
        func x(_ value: Double) -> Double { (value - low) / (high - low) * Self.width }
        let greatest = Double(bins.counts.max() ?? 1).squareRoot()
        var path = "M\(pixels(x(bins.start))),\(pixels(Self.height))"
        for (index, count) in bins.counts.enumerated() {
            let top = Self.height - Double(count).squareRoot() / greatest * (Self.height - 4)
            path += "V\(pixels(top))H\(pixels(x(bins.start + bins.width * Double(index + 1))))"
        }
        path += "V\(pixels(Self.height))Z"
        let ends = (grid.map { [$0.lowerBound, $0.upperBound] } ?? []).map { end in
            Markup.element(
                "line",
                [
                    "class": "reference s2", "x1": pixels(x(end)), "x2": pixels(x(end)), "y1": "0",
                    "y2": pixels(Self.height),
                ],
                [])
        }
        return .element(
            "figure", [:],
            [
                .element("figcaption", [:], tensor.tensor),
                .element(
                    "svg",
                    [
                        "viewBox": "0 0 \(Int(Self.width)) \(Int(Self.height))", "role": "img",
                        "aria-label": tensor.tensor,
                    ], [.element("path", ["class": "dot s1", "d": path], [])] + ends),
            ])
    }
}

/// A tenth of a pixel is finer than any screen.
private func pixels(_ value: Double) -> String { String(format: "%.1f", value) }
