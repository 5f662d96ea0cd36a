import CKernels
import Foundation

// The form, all numbers little-endian:
//
//     sum = "QSXS", version: UInt8 = 1, addends: UInt32, count: UInt64, blocks of 64 elements
//
// A block leaves out the low bytes that are zero in all its elements and the high bytes that only repeat the sign; see
// `qs_exact_encode`. Gradients of one slot take about six bytes an element, zeros nothing.
extension ExactSum {
    private static let magic = Array("QSXS".utf8)
    private static let version: UInt8 = 1
    private static let headerBytes = 17
    /// `qs_exact_encode` may write so far behind the end.
    private static let slack = 16

    /// The bytes of the sum; equal sums of equally many addends give equal bytes.
    public func encoded() -> Data {
        let size = qs_exact_encoded_size(low, high, count)
        var data = Data(count: Self.headerBytes + size + Self.slack)
        data.withUnsafeMutableBytes { bytes in
            bytes.copyBytes(from: Self.magic + [Self.version])
            bytes.storeBytes(of: UInt32(addends).littleEndian, toByteOffset: 5, as: UInt32.self)
            bytes.storeBytes(of: UInt64(count).littleEndian, toByteOffset: 9, as: UInt64.self)
            let blocks = UnsafeMutableRawBufferPointer(rebasing: bytes[Self.headerBytes...])
            if let start = blocks.assumingMemoryBound(to: UInt8.self).baseAddress {
                qs_exact_encode(low, high, count, start)
            }
        }
        return data.prefix(Self.headerBytes + size)
    }

    /// Reads what `encoded` writes.
    /// - Parameter count: the elements that the sum must have.
    /// - Throws: `TrainingError` (`.malformed`, `.lengthMismatch`) for any bytes that `encoded` does not write.
    public init(decoding data: Data, count: Int) throws(TrainingError) {
        guard data.count >= Self.headerBytes, data.starts(with: Self.magic + [Self.version]) else {
            throw TrainingError(
                .malformed, key: "header", expected: "\(Self.headerBytes) bytes", found: "\(data.count)")
        }
        let (addends, found) = data.withUnsafeBytes { bytes in
            (
                Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 5, as: UInt32.self))),
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 9, as: UInt64.self))
            )
        }
        guard found == UInt64(count) else {
            throw TrainingError(.lengthMismatch, key: "sum", expected: "\(count)", found: "\(found)")
        }
        guard addends <= Self.maximumAddends else {
            throw TrainingError(.tooManyAddends, expected: "<= \(Self.maximumAddends)", found: "\(addends)")
        }
        var low = [UInt64](repeating: 0, count: count)
        var high = [UInt64](repeating: 0, count: count)
        let isWhole = data.withUnsafeBytes { bytes in
            let blocks = UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...])
            return low.withUnsafeMutableBufferPointer { low in
                high.withUnsafeMutableBufferPointer { high in
                    qs_exact_decode(
                        blocks.assumingMemoryBound(to: UInt8.self).baseAddress, blocks.count, count, low.baseAddress,
                        high.baseAddress)
                }
            }
        }
        guard isWhole else { throw TrainingError(.malformed, key: "blocks", found: "\(data.count) bytes") }
        self.init(low: low, high: high, addends: addends)
    }
}
