import Foundation

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
