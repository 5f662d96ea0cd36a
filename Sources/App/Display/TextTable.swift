/// Rows of text in aligned columns, two spaces apart, for people to read.
public struct TextTable: Sendable {
    /// On which side the cells of a column end.
    public enum Alignment: Sendable {
        case left, right
    }

    /// The head of a column, and how its cells stand below.
    public struct Column: Sendable {
        /// Written above the rule.
        public var title: String
        /// Of the title and of all cells.
        public var alignment: Alignment

        public init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    /// From left to right.
    public var columns: [Column]
    /// From top to bottom, one cell per column.
    public private(set) var rows: [[String]] = []

    /// A table without rows.
    public init(_ columns: [Column]) {
        self.columns = columns
    }

    /// - Precondition: one cell per column.
    public mutating func append(_ row: [String]) {
        precondition(row.count == columns.count, "a row of \(row.count) cells in a table of \(columns.count) columns")
        rows.append(row)
    }

    /// Title line, rule, rows; each line ends with a newline and none with spaces.
    public var text: String {
        let titles = columns.map(\.title)
        let widths = columns.indices.map { column in
            ([titles] + rows).map { $0[column].count }.max() ?? 0
        }
        let rule = widths.map { String(repeating: "-", count: $0) }
        return ([titles, rule] + rows).map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line +=
                    (column == 0 ? "" : "  ") + (columns[column].alignment == .left ? cell + padding : padding + cell)
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
