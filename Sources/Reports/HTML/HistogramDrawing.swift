import Foundation

/// The histogram of a tensor in a small box.
struct HistogramDrawing {
    private static let width = 228.0
    private static let height = 70.0

    private let tensor: AnalysisReport.TensorSummary
    private let bins: AnalysisReport.TensorSummary.Bins

    /// Nil where there is nothing to draw.
    init?(_ tensor: AnalysisReport.TensorSummary) {
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
