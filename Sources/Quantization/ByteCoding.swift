import Foundation

/// Appends the primitives of the statistics record to bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// Seven bits a byte, low bits first; the high bit says that more follow.
    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Small magnitudes of either sign become small numbers.
    mutating func appendSignedVarint(_ value: Int) {
        appendVarint(UInt64(bitPattern: Int64(value << 1 ^ value >> 63)))
    }

    /// Four bytes, low byte first.
    mutating func append(_ value: Float) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { append($0) }
    }
}

/// Takes the primitives of the statistics record from bytes that may be anything. Every method throws
/// `QuantizationError` where the bytes end early or are not in the one form that the writer has for a value.
struct ByteReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ data: Data) {
        bytes = Array(data)
    }

    var remaining: Int { bytes.count - position }

    mutating func take(_ count: Int) throws(QuantizationError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw error(.lengthMismatch, expected: "\(count) bytes", found: "\(remaining)")
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func takeVarint() throws(QuantizationError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, through: 63, by: 7) {
            let byte = try take(1).first ?? 0
            if shift == 63 && byte > 1 { break }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 {
                if byte == 0 && shift > 0 { break }
                return value
            }
        }
        throw error(.malformed, expected: "varint", found: nil)
    }

    mutating func takeSignedVarint() throws(QuantizationError) -> Int {
        let value = try takeVarint()
        return Int(Int64(bitPattern: value >> 1)) ^ -Int(value & 1)
    }

    mutating func takeFloat() throws(QuantizationError) -> Float {
        Float(bitPattern: try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
    }

    /// An error that tells the byte where reading stopped.
    func error(_ code: QuantizationError.Code, expected: String?, found: String?) -> QuantizationError {
        QuantizationError(code, key: "byte \(position)", expected: expected, found: found)
    }
}
