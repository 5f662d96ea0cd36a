import CKernels
import Foundation

/// A reduced gradient on its way: rounded by blocks as a slot's is, in as few bits an element as that leaves.
enum RoundedGradient {
    /// Rounds elements in place and writes them.
    /// - Parameter elements: finite; from a block's beginning on.
    static func encode(_ elements: inout [Float], bits: Int) -> Data {
        let count = elements.count
        return elements.withUnsafeMutableBufferPointer { elements in
            Data.written(capacity: qs_rounded_bytes(count)) { bytes in
                let start = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
                return qs_rounded_pack(elements.baseAddress, count, Int32(bits), elements.baseAddress, start)
            }
        }
    }

    /// Reads what `encode` writes, to the bit.
    /// - Throws: `TrainingError(.malformed)`.
    static func decode(_ data: Data, count: Int) throws(TrainingError) -> [Float] {
        var isWhole = false
        let elements = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            isWhole = data.withUnsafeBytes { bytes in
                qs_rounded_unpack(
                    bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count, count, buffer.baseAddress)
            }
            initialized = isWhole ? count : 0
        }
        guard isWhole else { throw TrainingError(.malformed, key: "part", found: "\(data.count) bytes") }
        return elements
    }
}

extension Data {
    /// Bytes that a body writes into new memory, of which it keeps as many as it says.
    static func written(capacity: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Data {
        guard capacity > 0, let memory = malloc(capacity) else { return Data() }
        let count = body(UnsafeMutableRawBufferPointer(start: memory, count: capacity))
        precondition(count <= capacity, "\(count) bytes were written into \(capacity)")
        // Smaller memory always can be had.
        return Data(bytesNoCopy: realloc(memory, Swift.max(count, 1)) ?? memory, count: count, deallocator: .free)
    }
}
