import Support

/// Names of some of the samples that were left out: whichever shards they came in, the first in the order of the names.
package struct BadSampleNames: Codable, Equatable, Sendable {
    /// As many as are kept.
    package static let limit = 5
    /// UTF-8 bytes of a name; what is longer is cut.
    private static let length = 200

    /// Key and fault of samples, sorted, each once.
    private(set) package var names: [String] = []

    /// Of no samples.
    package init() {}

    /// - Parameters:
    ///   - key: of the sample in its source.
    ///   - fault: what is wrong with it, as a code such as `corruptImage`.
    package mutating func add(key: String, fault: String) {
        let words = fault.map { $0.isUppercase ? " \($0.lowercased())" : String($0) }.joined()
        insert(["\(key.shortened(to: Self.length)) (\(words))"])
    }

    /// Adds what was named elsewhere. Commutative and associative.
    package mutating func merge(_ other: BadSampleNames) { insert(other.names) }

    private mutating func insert(_ more: [String]) {
        guard !more.isEmpty else { return }
        names = Array(Set(names + more).sorted().prefix(Self.limit))
    }

    /// Whether these can be names of so many samples.
    package func areSound(of count: Int) -> Bool {
        names.count <= min(count, Self.limit) && names.allSatisfy { $0.utf8.count <= 2 * Self.length }
    }

    /// For people, as "3 bad samples are left out: a.jpg (corrupt image), ..."; nil where none is.
    package func sentence(of count: Int) -> String? {
        guard count > 0 else { return nil }
        let start = "\(count) bad sample\(count == 1 ? " is" : "s are") left out"
        guard !names.isEmpty else { return start }
        return start + ": " + names.joined(separator: ", ") + (names.count < count ? ", ..." : "")
    }

    /// Their number, then each.
    package func append(to writer: inout ByteWriter) {
        writer.append(UInt32(names.count))
        for name in names { writer.append(text: name) }
    }

    /// What `append` wrote.
    package init(from reader: inout ByteReader) throws(ByteCodingError) {
        let count = try reader.take(UInt32.self, "number of bad samples' names")
        guard count <= Self.limit else {
            throw reader.error(.malformed, expected: "at most \(Self.limit) names", found: "\(count)")
        }
        for _ in 0..<count { names.append(try reader.takeText("name of a bad sample")) }
    }
}

extension String {
    /// The end tells samples apart, so the beginning goes.
    fileprivate func shortened(to length: Int) -> String {
        guard utf8.count > length else { return self }
        return "..." + String(decoding: utf8.suffix(length), as: UTF8.self)
    }
}
