/// A table of the page.
struct PageTable {
    struct Column {
        var title: String
        /// Numbers stand at the right.
        var isNumber = false
    }

    var columns: [Column]
    private(set) var rows: [(cells: [String], isHighlighted: Bool)] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    /// - Precondition: one cell per column.
    mutating func append(_ cells: [String], isHighlighted: Bool = false) {
        precondition(
            cells.count == columns.count, "a row of \(cells.count) cells in a table of \(columns.count) columns")
        rows.append((cells, isHighlighted))
    }

    /// Nothing where there are no rows.
    func markup() -> Markup {
        guard !rows.isEmpty else { return .nothing }
        func row(_ cells: [String], _ name: StaticString) -> [Markup] {
            zip(cells, columns).map { cell, column in .element(name, column.isNumber ? ["class": "number"] : [:], cell)
            }
        }
        return .element(
            "div", ["class": "scroll"],
            [
                .element(
                    "table", [:],
                    [
                        .element("thead", [:], [.element("tr", [:], row(columns.map(\.title), "th"))]),
                        .element(
                            "tbody", [:],
                            rows.map { cells, isHighlighted in
                                .element("tr", isHighlighted ? ["class": "chosen"] : [:], row(cells, "td"))
                            }),
                    ])
            ])
    }
}
