/// The parts of an error message and the one way they are put together:
/// `FILE, line N, node "NAME" (OP), tensor "NAME", KEY: COMPLAINT: expected E, found F, did you mean "S"?`
/// where every part but one may be absent.
package struct Sentence: Equatable, Sendable {
    /// The file that the complaint is about.
    package var file: String?
    /// A line of it, from 1.
    package var line: Int?
    /// A node of a graph, and its op type.
    package var node: String?
    /// The node's op type.
    package var opType: String?
    /// A tensor of a model.
    package var tensor: String?
    /// A key, or another place that has a name.
    package var key: String?
    /// What is wrong; empty where `expected` and `found` say it all.
    package var complaint: String
    /// What should be there.
    package var expected: String?
    /// What is there.
    package var found: String?
    /// What could have been meant.
    package var suggestion: String?

    /// A complaint with those parts that it has.
    package init(
        _ complaint: String = "", file: String? = nil, line: Int? = nil, node: String? = nil, opType: String? = nil,
        tensor: String? = nil, key: String? = nil, expected: String? = nil, found: String? = nil,
        suggestion: String? = nil
    ) {
        self.file = file
        self.line = line
        self.node = node
        self.opType = opType
        self.tensor = tensor
        self.key = key
        self.complaint = complaint
        self.expected = expected
        self.found = found
        self.suggestion = suggestion
    }

    /// The parts put together, on one line.
    package var text: String {
        let text = [place, complaint, operands].filter { !$0.isEmpty }.joined(separator: ": ")
        return onOneLine(suggestion.map { "\(text), did you mean \"\($0)\"?" } ?? text)
    }

    private var place: String {
        var parts: [String] = []
        if let file { parts.append(file) }
        if let line { parts.append("line \(line)") }
        if let node { parts.append("node \"\(node)\"" + (opType.map { " (\($0))" } ?? "")) }
        if let opType, node == nil { parts.append("operator \(opType)") }
        if let tensor { parts.append("tensor \"\(tensor)\"") }
        if let key { parts.append(key) }
        return parts.joined(separator: ", ")
    }

    private var operands: String {
        switch (expected, found) {
        case (let expected?, let found?): "expected \(expected), found \(found)"
        case (let expected?, nil): "expected \(expected)"
        // Without an expectation what was found completes the complaint: "unsupported operators: A, B".
        case (nil, let found?): complaint.isEmpty ? "found \(found)" : found
        case (nil, nil): ""
        }
    }
}

/// Names come from files that anyone may have written: a message stays one line of printable characters.
private func onOneLine(_ text: String) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { scalar in
                switch scalar.properties.generalCategory {
                case .control, .lineSeparator, .paragraphSeparator, .format: " "
                default: scalar
                }
            }))
}
