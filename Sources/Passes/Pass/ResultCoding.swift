import Foundation

/// The counts at the head of a shard's result: fixed-width little-endian integers, so that equal results are equal bytes.
enum ResultCoding {
    static func encode(_ counts: [Int]) -> Data {
        var data = Data(capacity: counts.count * 8)
        for count in counts {
            withUnsafeBytes(of: UInt64(count).littleEndian) { data.append(contentsOf: $0) }
        }
        return data
    }

    /// Reads `number` counts and returns the bytes behind them, or nil where the data is too short.
    static func decode(_ number: Int, from data: Data) -> (counts: [Int], rest: Data)? {
        guard data.count >= number * 8 else { return nil }
        let counts = data.withUnsafeBytes { bytes in
            (0..<number).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
        }
        guard counts.allSatisfy({ $0 <= Int.max }) else { return nil }
        return (counts.map(Int.init), data.dropFirst(number * 8))
    }
}
