import Foundation
import Yams

/// A value of the job file with its place, read by the type that the format wants there. Scalars follow YAML 1.2's core
/// schema (`yes` and `0o7` are text); a number in quotes is text.
struct YAMLValue {
    let node: Yams.Node
    /// Path of the key; empty at the root.
    let key: String
    /// Line of the key, or of the item where the value is an item of a list; nil at the root.
    let line: Int?
    let file: String

    func error(
        _ code: JobError.Code, expected: String? = nil, found: String? = nil, suggestion: String? = nil
    ) -> JobError {
        JobError(
            code, file: file, key: key.isEmpty ? nil : key, line: line, expected: expected, found: found ?? summary,
            suggestion: suggestion)
    }

    func text() throws -> String {
        guard case .text(let text) = kind, !text.isEmpty else { throw error(.wrongType, expected: "text") }
        return text
    }

    func boolean() throws -> Bool {
        guard case .boolean(let value) = kind else { throw error(.wrongType, expected: "true or false") }
        return value
    }

    func integer(in range: ClosedRange<Int>) throws -> Int {
        let expected = "a whole number \(describe(range))"
        guard case .integer(let value) = kind else { throw error(.wrongType, expected: expected) }
        guard range.contains(value) else { throw error(.outOfRange, expected: expected) }
        return value
    }

    /// - Parameter expected: what `isLegal` demands, such as "a number above 0".
    func number(_ expected: String = "a number", where isLegal: (Double) -> Bool = { _ in true }) throws -> Double {
        let value: Double
        switch kind {
        case .integer(let integer): value = Double(integer)
        case .number(let number): value = number
        default: throw error(.wrongType, expected: expected)
        }
        guard value.isFinite, isLegal(value) else { throw error(.outOfRange, expected: expected) }
        return value
    }

    /// One of the words that an enumeration is written as.
    func choice<Choice: RawRepresentable & CaseIterable>(of type: Choice.Type) throws -> Choice
    where Choice.RawValue == String {
        let words = Choice.allCases.map(\.rawValue)
        guard case .scalar(let scalar) = node else { throw error(.wrongType, expected: alternatives(words)) }
        guard let choice = Choice(rawValue: scalar.string) else {
            throw error(
                .unknownChoice, expected: alternatives(words), suggestion: nearestWord(to: scalar.string, among: words))
        }
        return choice
    }

    /// The items of a list.
    /// - Parameter count: how many the format wants; any number where nil.
    func list(count: Int? = nil, of items: String) throws -> [YAMLValue] {
        let expected = count.map { "a list of \($0) \(items)" } ?? "a list of \(items)"
        guard case .sequence(let sequence) = node else { throw error(.wrongType, expected: expected) }
        if let count, sequence.count != count {
            throw error(.wrongType, expected: expected)
        }
        return sequence.enumerated().map { index, item in
            YAMLValue(node: item, key: "\(key)[\(index)]", line: item.mark?.line ?? line, file: file)
        }
    }
}

extension YAMLValue {
    enum Kind {
        case null, boolean(Bool), integer(Int), number(Double), text(String), list(Int), mapping
    }

    var kind: Kind {
        switch node {
        case .mapping: return .mapping
        case .sequence(let sequence): return .list(sequence.count)
        case .alias: return .null
        case .scalar(let scalar):
            guard scalar.style == .plain || scalar.style == .any else { return .text(scalar.string) }
            switch scalar.string {
            case "", "~", "null", "Null", "NULL": return .null
            case "true", "True", "TRUE": return .boolean(true)
            case "false", "False", "FALSE": return .boolean(false)
            default: break
            }
            // Swift also reads hexadecimal floats and "infinity", which YAML takes for text.
            let isDecimal = scalar.string.allSatisfy { "0123456789+-.eE".contains($0) }
            if isDecimal, let integer = Int(scalar.string) { return .integer(integer) }
            if isDecimal, let number = Double(scalar.string) { return .number(number) }
            return .text(scalar.string)
        }
    }

    /// The value in short, for errors: scalars as they stand in the file.
    var summary: String {
        switch kind {
        case .null: return "nothing"
        case .boolean(let value): return String(value)
        case .integer, .number: return node.scalar?.string ?? ""
        case .text(let text): return "\"\(text)\""
        case .list(let count): return "a list of \(count)"
        case .mapping: return "a mapping"
        }
    }
}

/// `a, b or c`.
package func alternatives(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
}

private func describe(_ range: ClosedRange<Int>) -> String {
    range.upperBound == Int.max ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
}
