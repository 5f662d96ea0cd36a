import Foundation

/// Lines over an axis of whole numbers, drawn as SVG.
struct Plot {
    struct Series {
        var name: String
        /// Which colour, see `PageStyle`: `s1`, `s2`.
        var style: String
        var points: [(x: Double, y: Double)]
        /// A dot at each point, with what a reader sees who points at it.
        var isMarked = false
    }

    /// A horizontal line.
    struct Reference {
        var name: String
        var style: String
        var y: Double
    }

    var title: String
    var xTitle: String
    var series: [Series]
    var references: [Reference] = []
    /// A point that is circled.
    var highlight: (x: Double, y: Double)?
    /// What the vertical axis covers at least.
    var yIncludes: [Double] = []
    /// Behind the numbers of the vertical axis.
    var unit = ""

    /// In pixels of the view box.
    static let width = 720.0
    static let height = 300.0
    private static let area = (left: 58.0, top: 12.0, right: 706.0, bottom: 258.0)

    /// Nothing where no series has a finite point.
    func markup() -> Markup {
        let points = series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
        guard let firstX = points.map(\.x).min(), let lastX = points.map(\.x).max() else { return .nothing }
        let heights = points.map(\.y) + references.map(\.y).filter(\.isFinite) + yIncludes
        let x = AxisScale(covering: firstX...lastX, ticks: 8, smallestStep: 1)
        let y = AxisScale(covering: (heights.min() ?? 0)...(heights.max() ?? 0), ticks: 5)
        // The horizontal axis ends with the data.
        let place = Place(xRange: firstX...Swift.max(lastX, firstX + 1), y: y)
        let drawing =
            grid(x, y, place) + references.map { line($0, place) } + series.flatMap { line($0, place) }
            + (highlight.map { [circle($0, place)] } ?? [])
        return .element(
            "figure", [:],
            [
                .element("figcaption", [:], [.element("span", ["class": "title"], title)] + legend()),
                .element(
                    "svg",
                    [
                        "viewBox": "0 0 \(Int(Self.width)) \(Int(Self.height))", "role": "img", "aria-label": title,
                    ], drawing),
            ])
    }

    private func legend() -> [Markup] {
        let entries = series.map { ($0.name, $0.style) } + references.map { ($0.name, $0.style + " dashed") }
        guard entries.count > 1 else { return [] }
        return entries.map { name, style in
            .element("span", ["class": "key"], [.element("i", ["class": style], []), .text(name)])
        }
    }

    /// From data to pixels.
    private struct Place {
        let xRange: ClosedRange<Double>
        let y: AxisScale

        func x(_ value: Double) -> Double {
            let fraction = (value - xRange.lowerBound) / (xRange.upperBound - xRange.lowerBound)
            return area.left + fraction * (area.right - area.left)
        }

        func y(_ value: Double) -> Double { area.bottom - y.fraction(value) * (area.bottom - area.top) }
    }

    private func grid(_ x: AxisScale, _ y: AxisScale, _ place: Place) -> [Markup] {
        var parts: [Markup] = []
        for tick in y.ticks {
            let height = pixels(place.y(tick))
            parts.append(
                .element(
                    "line",
                    [
                        "class": "grid", "x1": pixels(Self.area.left), "x2": pixels(Self.area.right), "y1": height,
                        "y2": height,
                    ], []))
            parts.append(
                .element(
                    "text",
                    ["class": "label end", "x": pixels(Self.area.left - 8), "y": pixels(place.y(tick) + 4)],
                    y.label(tick) + unit))
        }
        for tick in x.ticks where place.xRange.contains(tick) {
            parts.append(
                .element(
                    "text",
                    ["class": "label middle", "x": pixels(place.x(tick)), "y": pixels(Self.area.bottom + 18)],
                    x.label(tick)))
        }
        let middle = (Self.area.left + Self.area.right) / 2
        parts.append(
            .element(
                "text", ["class": "label middle", "x": pixels(middle), "y": pixels(Self.height - 6)], xTitle))
        return parts
    }

    private func line(_ reference: Reference, _ place: Place) -> Markup {
        guard reference.y.isFinite else { return .nothing }
        let height = pixels(place.y(reference.y))
        return .element(
            "line",
            [
                "class": "reference \(reference.style)", "x1": pixels(Self.area.left), "x2": pixels(Self.area.right),
                "y1": height, "y2": height,
            ], [.element("title", [:], reference.name)])
    }

    private func line(_ series: Series, _ place: Place) -> [Markup] {
        let points = series.points.filter { $0.x.isFinite && $0.y.isFinite }
        let path = points.map { pixels(place.x($0.x)) + "," + pixels(place.y($0.y)) }.joined(separator: " ")
        // A line through one point is none.
        let dots = series.isMarked || points.count == 1 ? points : []
        return [.element("polyline", ["class": "line \(series.style)", "points": path], [])]
            + dots.map { point in
                .element(
                    "circle",
                    [
                        "class": "dot \(series.style)", "cx": pixels(place.x(point.x)), "cy": pixels(place.y(point.y)),
                        "r": "3",
                    ],
                    [.element("title", [:], "\(xTitle) \(Int(point.x)): \(String(format: "%.4g", point.y))\(unit)")])
            }
    }

    private func circle(_ point: (x: Double, y: Double), _ place: Place) -> Markup {
        .element(
            "circle",
            ["class": "highlight", "cx": pixels(place.x(point.x)), "cy": pixels(place.y(point.y)), "r": "7"], [])
    }
}
