import CKernels
import Foundation

/// How finely the gradients of a slot are given, before they are added to those of others.
///
/// In each block of 256 elements of the flat vector, all are rounded to multiples of one power of two, so that the block's
/// largest keeps so many bits: a pure function of the slot alone. Sums of few such gradients are integers of little more
/// than as many bits, which is what workers send each other. An element that is n powers of two smaller than its block's
/// largest keeps n bits less; its error is as small a part of the block's largest.
public enum GradientPrecision: Int, Sendable, Codable, CaseIterable {
    /// 24 bits, of sums too: the largest element of a block is as it was.
    case full = 32
    /// 11 bits, and sums rounded to 15: half the bytes.
    case half = 16

    /// Of a block's largest element, in the sum over all slots.
    var sumBits: Int {
        switch self {
        case .full: 24
        case .half: 15
        }
    }

    /// Of a block's largest element, in a slot's gradient.
    var addendBits: Int {
        switch self {
        case .full: 24
        case .half: 11
        }
    }
}

/// Rounds the gradients of slots, and their sum.
public enum SlotRounding {
    /// Elements rounded together.
    public static let block = Int(QS_EXACT_BLOCK)

    /// Rounds a stretch of a slot's gradient that begins at a block.
    /// - Parameter elements: finite, below `ExactSum.bound`.
    public static func round(_ elements: UnsafeMutableBufferPointer<Float>, to precision: GradientPrecision) {
        round(elements, bits: precision.addendBits)
    }

    /// Rounds the sum over all slots, as those who exchange it do.
    /// - Parameter sum: finite; from a block's beginning on.
    public static func round(sum: inout [Float], to precision: GradientPrecision) {
        sum.withUnsafeMutableBufferPointer { round($0, bits: precision.sumBits) }
    }

    private static func round(_ elements: UnsafeMutableBufferPointer<Float>, bits: Int) {
        qs_round_blocks(elements.baseAddress, elements.count, Int32(bits), elements.baseAddress)
    }
}

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
