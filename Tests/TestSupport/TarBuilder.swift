import Foundation

/// Writes tar archives for tests: ustar headers, long names as GNU or pax have them.
package struct TarBuilder {
    package enum LongNames { case gnu, pax }

    package private(set) var data = Data()
    package var longNames: LongNames

    package init(longNames: LongNames = .gnu) { self.longNames = longNames }

    package mutating func add(_ name: String, _ contents: Data, type: Character = "0") {
        if name.utf8.count > 100 {
            switch longNames {
            case .gnu: addBlock("././@LongLink", Data(name.utf8) + [0], type: "L")
            case .pax:
                // The record's length counts its own digits.
                let rest = " path=\(name)\n"
                var length = rest.utf8.count
                while length != String(length).utf8.count + rest.utf8.count {
                    length = String(length).utf8.count + rest.utf8.count
                }
                addBlock("PaxHeaders/x", Data("\(length)\(rest)".utf8), type: "x")
            }
        }
        addBlock(name, contents, type: type)
    }

    package mutating func add(_ name: String, _ text: String) { add(name, Data(text.utf8)) }

    /// The archive with the two blocks of zeros that end it.
    package func finished() -> Data { data + Data(count: 1024) }

    private mutating func addBlock(_ name: String, _ contents: Data, type: Character) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int, limit: Int) {
            for (index, byte) in text.utf8.prefix(limit).enumerated() { header[offset + index] = byte }
        }
        func octal(_ value: Int, digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(name, at: 0, limit: 100)
        put(octal(0o644, digits: 7), at: 100, limit: 7)
        put(octal(contents.count, digits: 11), at: 124, limit: 11)
        put(String(repeating: " ", count: 8), at: 148, limit: 8)
        put(String(type), at: 156, limit: 1)
        put("ustar\u{0}00", at: 257, limit: 8)
        put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6) + "\u{0} ", at: 148, limit: 8)
        data.append(contentsOf: header)
        data.append(contents)
        data.append(Data(count: (512 - contents.count % 512) % 512))
    }
}
