import CKernels
import Foundation
import Quantization
import Support

/// A sum of float vectors that is the same bits for any order and any grouping of the addends.
///
/// Each addend is taken to a grid of 2^-80 (what lies below is dropped, towards zero, addend by addend) and added to
/// integers of 128 bits. Elements of magnitude 2^-57 (7e-18) and above are on the grid as they are, so gradients of any
/// practical size are summed without any error. Elements must be below 2^30 in magnitude, and there may be 2^17 addends:
/// their sum is below 2^47, which the integers hold, so overflow cannot happen.
///
/// Blocks of 32-bit integers with a common exponent would take less memory, but need the exponents agreed before the first
/// addend; binary trees over the slots need all the slots of a subtree in one place. On the wire a sum is as short as
/// its addends allow, for which they are rounded first: see `SlotRounding`.
public struct ExactSum: Equatable, Sendable {
    /// Addends that there may be.
    public static let maximumAddends = 1 << 17
    /// Magnitude that every element of an addend is below.
    public static let bound: Float = 0x1p30
    /// Units in 1.
    static let unitsLog2 = 80

    /// Elements of the vectors.
    public var count: Int { low.count }
    /// Vectors added so far, in sums that were merged too.
    public internal(set) var addends = 0
    /// The halves of each element, in units of 2^-80, two's complement.
    package internal(set) var low: [UInt64]
    /// The upper halves.
    package internal(set) var high: [UInt64]

    /// The sum of no vectors.
    public init(count: Int) {
        low = [UInt64](repeating: 0, count: count)
        high = [UInt64](repeating: 0, count: count)
    }

    /// Makes it the sum of no vectors.
    mutating func clear() {
        low.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
        high.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
        addends = 0
    }

    init(low: [UInt64], high: [UInt64], addends: Int) {
        self.low = low
        self.high = high
        self.addends = addends
    }

    /// Adds a vector; where it throws, the sum is as it was.
    /// - Parameters:
    ///   - vector: [count]
    ///   - instructionSet: changes the time only.
    /// - Throws: `TrainingError` with the index of the first element that is not finite (`.notFinite`) or too large
    ///   (`.tooLarge`); `.tooManyAddends`; `.lengthMismatch`.
    public mutating func add(
        _ vector: UnsafeBufferPointer<Float>, instructionSet: InstructionSet = .pinned
    ) throws(TrainingError) {
        try checkRoom(for: 1, ofCount: vector.count)
        guard let start = vector.baseAddress, !vector.isEmpty else {
            addends += 1
            return
        }
        if let refusal = Self.refusal(of: vector) { throw refusal }
        low.withUnsafeMutableBufferPointer { low in
            high.withUnsafeMutableBufferPointer { high in
                qs_exact_add(instructionSet.isa, start, vector.count, low.baseAddress, high.baseAddress)
            }
        }
        addends += 1
    }

    /// Why a vector cannot be added, if it cannot.
    package static func refusal(of vector: UnsafeBufferPointer<Float>) -> TrainingError? {
        guard let start = vector.baseAddress else { return nil }
        let refused = qs_exact_first_refused(start, vector.count)
        guard refused < vector.count else { return nil }
        let element = vector[refused]
        return TrainingError(
            element.isFinite ? .tooLarge : .notFinite, index: refused,
            expected: element.isFinite ? "below \(bound)" : nil, found: "\(element)")
    }

    /// Why a vector cannot be added, if it cannot.
    package static func refusal(of vector: [Float]) -> TrainingError? {
        vector.withUnsafeBufferPointer { refusal(of: $0) }
    }

    /// Adds a vector; where it throws, the sum is as it was.
    public mutating func add(_ vector: [Float]) throws(TrainingError) {
        let result = vector.withUnsafeBufferPointer { vector in
            Result { () throws(TrainingError) in try add(vector) }
        }
        try result.get()
    }

    /// Adds all addends of another sum.
    /// - Throws: `TrainingError` (`.tooManyAddends`, `.lengthMismatch`); then the sum is as it was.
    public mutating func merge(_ other: ExactSum) throws(TrainingError) {
        try checkRoom(for: other.addends, ofCount: other.count)
        low.withUnsafeMutableBufferPointer { low in
            high.withUnsafeMutableBufferPointer { high in
                qs_exact_merge(other.low, other.high, low.count, low.baseAddress, high.baseAddress)
            }
        }
        addends += other.addends
    }

    /// The sum times `scale`, each element rounded once, to the nearest `Float`, ties to even.
    /// - Parameter scale: finite and positive, a normal number.
    public func value(scale: Double = 1) -> [Float] {
        precondition(scale.isNormal && scale > 0, "a sum cannot be scaled by \(scale)")
        // scale = significand * 2^exponent with an integer that has no trailing zeros.
        let bits = scale.significandBitPattern | 1 << 52
        let zeros = bits.trailingZeroBitCount
        let exponent = Int32(Int(scale.exponent) - 52 + zeros)
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let start = buffer.baseAddress {
                qs_exact_value(low, high, count, bits >> UInt64(zeros), exponent, start)
            }
            initialized = count
        }
    }

    func checkRoom(for more: Int, ofCount otherCount: Int) throws(TrainingError) {
        guard otherCount == count else {
            throw TrainingError(.lengthMismatch, key: "sum", expected: "\(count)", found: "\(otherCount)")
        }
        guard more <= Self.maximumAddends - addends else {
            throw TrainingError(
                .tooManyAddends, expected: "<= \(Self.maximumAddends)", found: "\(addends) + \(more)")
        }
    }
}

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
