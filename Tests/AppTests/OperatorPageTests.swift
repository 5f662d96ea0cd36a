import App
import Foundation
import Nodes
import Operators
import Testing

/// docs/operators.md, which a script writes, has what the program knows.
@Suite struct OperatorPageTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs/operators.md").standardizedFileURL

    /// The first column of the table of operators, each name in backquotes.
    @Test func thePageListsTheOperatorsThatAreKnown() throws {
        let lines = try String(contentsOf: Self.page, encoding: .utf8).split(separator: "\n")
        let listed = lines.filter { $0.hasPrefix("| `") }.map { $0.dropFirst(3).prefix { $0 != "`" } }.map(String.init)
        #expect(Set(listed) == KnownOperators.supportedTypes)
        #expect(listed.count == Set(listed).count)
    }

    /// A row says of each operator how it is computed and whether it has a gradient.
    @Test func rowsSayWhatTheProgramSays() throws {
        struct Entry: Decodable {
            var `operator`, domain, forward: String
            var gradient: Bool
        }
        let entries = try JSONDecoder().decode([Entry].self, from: Data(Inspection.describeOperators().utf8))
        let rows = try String(contentsOf: Self.page, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let words = [
            "kernel": "kernel", "kernel or definition": "kernel, definition", "definition": "definition",
            "composition": "other operators",
        ]
        for entry in entries {
            let name = (entry.domain.isEmpty ? "" : "\(entry.domain).") + entry.operator
            let row = try #require(rows.first { $0.first == "`\(name)`" }, "\(name)")
            #expect(row[3] == words[entry.forward] && row[4] == (entry.gradient ? "yes" : "no"), "\(name)")
        }
    }
}
