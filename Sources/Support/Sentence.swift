/// The parts of an error message and the one way they are put together:
/// `FILE, line N, node "NAME" (OP), tensor "NAME", KEY: COMPLAINT: expected E, found F, did you mean "S"?`
/// where every part but one may be absent.
package struct Sentence: Equatable, Sendable {
    package var file: String?
    package var line: Int?
    package var node: String?
    package var opType: String?
    package var tensor: String?
    package var key: String?
    /// What is wrong; empty where `expected` and `found` say it all.
    package var complaint: String
    package var expected: String?
    package var found: String?
    package var suggestion: String?

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
