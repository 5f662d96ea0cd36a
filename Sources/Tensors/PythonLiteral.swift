/// A value as Python writes it in source text: what the header of an `.npy` file is made of.
enum PythonLiteral: Equatable {
    case string(String)
    case integer(Int)
    case boolean(Bool)
    /// A tuple or a list.
    case sequence([PythonLiteral])
    case dictionary([String: PythonLiteral])

    /// Reads a literal that fills all of `text` but for white space; nil when it does not.
    init?(parsing text: some Sequence<UInt8>) {
        var parser = Parser(text: Array(text))
        guard let literal = parser.literal(depth: 0) else { return nil }
        parser.skipSpace()
        guard parser.isAtEnd else { return nil }
        self = literal
    }

    private struct Parser {
        /// Headers nest twice (a tuple in a dictionary), structured types a little deeper.
        private static let maximumDepth = 16

        let text: [UInt8]
        private var position = 0

        init(text: [UInt8]) { self.text = text }

        var isAtEnd: Bool { position == text.count }

        mutating func skipSpace() {
            while let byte = peek(), byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
        }

        mutating func literal(depth: Int) -> PythonLiteral? {
            guard depth < Self.maximumDepth else { return nil }
            skipSpace()
            switch peek() {
            case UInt8(ascii: "'"), UInt8(ascii: "\""): return string().map(PythonLiteral.string)
            case UInt8(ascii: "("): return sequence(closing: UInt8(ascii: ")"), depth: depth)
            case UInt8(ascii: "["): return sequence(closing: UInt8(ascii: "]"), depth: depth)
            case UInt8(ascii: "{"): return dictionary(depth: depth)
            default: return word()
            }
        }

        private func peek() -> UInt8? { position < text.count ? text[position] : nil }

        private mutating func accept(_ byte: UInt8) -> Bool {
            skipSpace()
            guard peek() == byte else { return false }
            position += 1
            return true
        }

        /// A quoted string. Type descriptions and field names need no escapes, so a backslash is refused.
        private mutating func string() -> String? {
            guard let quote = peek() else { return nil }
            let start = position + 1
            guard let end = text[start...].firstIndex(of: quote) else { return nil }
            let content = text[start..<end]
            guard !content.contains(UInt8(ascii: "\\")) else { return nil }
            position = end + 1
            return String(validating: content, as: UTF8.self)
        }

        private mutating func sequence(closing: UInt8, depth: Int) -> PythonLiteral? {
            position += 1
            var elements: [PythonLiteral] = []
            while !accept(closing) {
                guard let element = literal(depth: depth + 1) else { return nil }
                elements.append(element)
                if !accept(UInt8(ascii: ",")) {
                    guard accept(closing) else { return nil }
                    // `(3)` is a number in brackets in Python, not a tuple of one.
                    if closing == UInt8(ascii: ")") && elements.count == 1 { return element }
                    break
                }
            }
            return .sequence(elements)
        }

        private mutating func dictionary(depth: Int) -> PythonLiteral? {
            position += 1
            var entries: [String: PythonLiteral] = [:]
            while !accept(UInt8(ascii: "}")) {
                guard case .string(let key)? = literal(depth: depth + 1), accept(UInt8(ascii: ":")),
                    let value = literal(depth: depth + 1), entries.updateValue(value, forKey: key) == nil
                else { return nil }
                if !accept(UInt8(ascii: ",")) {
                    guard accept(UInt8(ascii: "}")) else { return nil }
                    break
                }
            }
            return .dictionary(entries)
        }

        /// `True`, `False`, or an integer, which Python 2 may have written with a trailing `L`.
        private mutating func word() -> PythonLiteral? {
            let start = position
            while let byte = peek(), isWordByte(byte) { position += 1 }
            switch String(decoding: text[start..<position], as: UTF8.self) {
            case "True": return .boolean(true)
            case "False": return .boolean(false)
            case let word: return Int(word.hasSuffix("L") ? String(word.dropLast()) : word).map(PythonLiteral.integer)
            }
        }

        private func isWordByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
