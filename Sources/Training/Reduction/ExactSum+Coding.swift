import CKernels
import Foundation

// The form, all numbers little-endian:
//
//     sum = "QSXS", version: UInt8 = 3, addends: UInt32, count: UInt64, blocks of 256 elements
//
// A block leaves out the low bits that are zero in all its elements and the high bits that only repeat the sign; see
// `qs_exact_encode`. A sum over a few slots whose gradients were rounded to 24 bits takes 26 to 29 bits an element
// (see `SlotRounding`), zeros take nothing.
extension ExactSum {
    private static let magic = Array("QSXS".utf8)
    private static let version: UInt8 = 3
    private static let headerBytes = 17

    /// The bytes of the sum; equal sums of equally many addends give equal bytes.
    public func encoded() -> Data {
        Data.written(capacity: Self.headerBytes + qs_exact_bytes(count)) { bytes in
            bytes.copyBytes(from: Self.magic + [Self.version])
            bytes.storeBytes(of: UInt32(addends).littleEndian, toByteOffset: 5, as: UInt32.self)
            bytes.storeBytes(of: UInt64(count).littleEndian, toByteOffset: 9, as: UInt64.self)
            let start = UnsafeMutableRawBufferPointer(rebasing: bytes[Self.headerBytes...])
            return Self.headerBytes
                + qs_exact_encode(low, high, count, start.assumingMemoryBound(to: UInt8.self).baseAddress)
        }
    }

    /// Reads what `encoded` writes.
    /// - Parameter count: the elements that the sum must have.
    /// - Throws: `TrainingError` (`.malformed`, `.lengthMismatch`) for any bytes that `encoded` does not write.
    public init(decoding data: Data, count: Int) throws(TrainingError) {
        self.init(count: count)
        try add(encoded: data)
    }

    /// Adds a sum in its encoded form; as `merge`, but without making the sum first.
    /// - Throws: `TrainingError` (`.malformed`, `.lengthMismatch`, `.tooManyAddends`); what the sum is then is not told.
    public mutating func add(encoded data: Data) throws(TrainingError) {
        guard data.count >= Self.headerBytes, data.starts(with: Self.magic + [Self.version]) else {
            throw TrainingError(
                .malformed, key: "header", expected: "\(Self.headerBytes) bytes", found: "\(data.count)")
        }
        let (more, found) = data.withUnsafeBytes { bytes in
            (
                Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 5, as: UInt32.self))),
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 9, as: UInt64.self))
            )
        }
        guard found == UInt64(count) else {
            throw TrainingError(.lengthMismatch, key: "sum", expected: "\(count)", found: "\(found)")
        }
        try checkRoom(for: more, ofCount: count)
        let isWhole = data.withUnsafeBytes { bytes in
            let blocks = UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...])
            return low.withUnsafeMutableBufferPointer { low in
                high.withUnsafeMutableBufferPointer { high in
                    qs_exact_add_encoded(
                        blocks.assumingMemoryBound(to: UInt8.self).baseAddress, blocks.count, low.count,
                        low.baseAddress, high.baseAddress)
                }
            }
        }
        guard isWhole else { throw TrainingError(.malformed, key: "blocks", found: "\(data.count) bytes") }
        addends += more
    }
}
