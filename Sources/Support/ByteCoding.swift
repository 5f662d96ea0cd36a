import Foundation

/// Bytes that are not the record that they should be. Data only: whoever reads them makes its own error of it, or the
/// command line a sentence.
public struct ByteCodingError: Error, Equatable, Sendable {
    /// What is wrong with the bytes.
    public enum Code: String, Sendable {
        /// The bytes end before the record does.
        case truncated
        /// A value that no writer writes.
        case malformed
        /// A version of the record that is not known.
        case unsupportedVersion
        /// The record ends before the bytes do.
        case trailingBytes
    }

    /// What is wrong.
    public var code: Code
    /// What the bytes should be, such as `evaluation result`.
    public var record: String
    /// The part of the record that was being read, where it has a name.
    public var part: String?
    /// Bytes of the record that were read before.
    public var position: Int
    /// What the format wants there.
    public var expected: String?
    /// What is there.
    public var found: String?

    public init(
        _ code: Code, record: String, part: String? = nil, position: Int = 0, expected: String? = nil,
        found: String? = nil
    ) {
        self.code = code
        self.record = record
        self.part = part
        self.position = position
        self.expected = expected
        self.found = found
    }
}

/// Appends the parts of a record to bytes. All numbers are little-endian.
package struct ByteWriter {
    /// What was written so far.
    private(set) package var bytes: [UInt8] = []

    /// - Parameter capacity: bytes that there will be, as far as that is known.
    package init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// The head of many results: counts of 64 bits each.
    /// - Parameter counts: not negative.
    package init(counts: [Int]) {
        self.init(capacity: counts.count * 8)
        for count in counts { append(UInt64(count)) }
    }

    /// What was written so far.
    package var data: Data { Data(bytes) }

    /// The bytes as they are.
    package mutating func append(_ more: [UInt8]) {
        bytes += more
    }

    /// The bytes as they are.
    package mutating func append(_ more: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: more)
    }

    /// The bytes as they are.
    package mutating func append(_ more: Data) {
        more.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// As many bytes as the type has.
    package mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// The bits, in four bytes.
    package mutating func append(_ value: Float) {
        append(value.bitPattern)
    }

    /// The length as `UInt32`, then UTF-8.
    package mutating func append(text: String) {
        append(UInt32(text.utf8.count))
        bytes += text.utf8
    }

    /// Seven bits a byte, low bits first; the high bit says that more follow.
    package mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// Takes the parts of a record from bytes that may be anything: every method throws `ByteCodingError` where the bytes end
/// early or are not in the one form that the writer has for a value, and none traps or reserves memory for a false length.
package struct ByteReader {
    private let data: Data
    private let record: String
    /// Bytes taken so far.
    private(set) package var position = 0

    /// - Parameter record: what errors call the bytes.
    package init(_ data: Data, record: String) {
        self.data = data
        self.record = record
    }

    /// Bytes not taken yet.
    package var remaining: Int { data.count - position }

    /// A view of the next bytes.
    /// - Parameter part: what errors call them.
    package mutating func take(_ count: Int, _ part: String? = nil) throws(ByteCodingError) -> Data {
        guard count >= 0, count <= remaining else {
            throw error(.truncated, part, expected: "\(count) bytes", found: "\(remaining)")
        }
        defer { position += count }
        let start = data.startIndex + position
        return data[start..<start + count]
    }

    /// An integer of as many bytes as its type has.
    package mutating func take<Integer: FixedWidthInteger>(
        _: Integer.Type, _ part: String? = nil
    ) throws(ByteCodingError) -> Integer {
        let bytes = try take(MemoryLayout<Integer>.size, part)
        return bytes.withUnsafeBytes { Integer(littleEndian: $0.loadUnaligned(as: Integer.self)) }
    }

    /// The bits of a `Float`, in four bytes.
    package mutating func takeFloat(_ part: String? = nil) throws(ByteCodingError) -> Float {
        Float(bitPattern: try take(UInt32.self, part))
    }

    /// What `appendVarint` wrote, in the one spelling that it has.
    package mutating func takeVarint(_ part: String? = nil) throws(ByteCodingError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, through: 63, by: 7) {
            guard remaining > 0 else { throw error(.truncated, part, expected: "1 bytes", found: "0") }
            let byte = data[data.startIndex + position]
            position += 1
            if shift == 63 && byte > 1 { break }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 {
                if byte == 0 && shift > 0 { break }
                return value
            }
        }
        throw error(.malformed, part, expected: "varint")
    }

    /// A `UInt32`: of how many things, of which each takes at least `minimumBytes` of the rest.
    package mutating func takeCount(
        _ part: String? = nil, minimumBytes: Int = 1
    ) throws(ByteCodingError) -> Int {
        let count = Int(try take(UInt32.self, part))
        guard count <= remaining / minimumBytes else {
            throw error(.truncated, part, expected: "\(count)", found: "\(remaining) bytes")
        }
        return count
    }

    /// What `append(text:)` wrote.
    package mutating func takeText(_ part: String? = nil) throws(ByteCodingError) -> String {
        let bytes = try take(try takeCount(part), part)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw error(.malformed, part, expected: "UTF-8")
        }
        return text
    }

    /// What `ByteWriter(counts:)` wrote.
    package mutating func takeCounts(_ number: Int, _ part: String? = nil) throws(ByteCodingError) -> [Int] {
        guard number >= 0, number <= remaining / 8 else {
            throw error(.truncated, part, expected: "\(number) counts", found: "\(remaining) bytes")
        }
        var counts: [Int] = []
        counts.reserveCapacity(number)
        for _ in 0..<number {
            guard let count = Int(exactly: try take(UInt64.self, part)) else {
                throw error(.malformed, part, expected: "a count")
            }
            counts.append(count)
        }
        return counts
    }

    /// All bytes that are left, as bytes of their own: their indices begin at 0.
    package mutating func takeRest() -> Data {
        defer { position = data.count }
        return Data(data.dropFirst(position))
    }

    /// - Throws: `.trailingBytes` where bytes are left.
    package func finish() throws(ByteCodingError) {
        guard remaining == 0 else { throw error(.trailingBytes, expected: "the end", found: "\(remaining) bytes") }
    }

    /// An error that tells the byte where reading stopped.
    package func error(
        _ code: ByteCodingError.Code, _ part: String? = nil, expected: String? = nil, found: String? = nil
    ) -> ByteCodingError {
        ByteCodingError(
            code, record: record, part: part, position: position, expected: expected, found: found)
    }
}
