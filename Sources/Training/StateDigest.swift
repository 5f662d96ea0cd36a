private import CSodium
private import CXXHash
import Foundation

/// A digest of a training's state that is quick enough to be taken after every step: SHA-256 over XXH3 hashes of the state's
/// vectors. What is guarded against is a machine that computes wrongly, not forgery.
public struct StateDigest {
    private var hashes: [UInt8] = []

    public init() {}

    /// Adds elements; their bits count, and where one vector ends and the next begins.
    public mutating func add(_ elements: [Float]) {
        let hash = elements.withUnsafeBytes { XXH3_128bits($0.baseAddress, $0.count) }
        add(UInt64(hash.low64))
        add(UInt64(hash.high64))
        add(elements.count)
    }

    public mutating func add(_ number: Int) {
        add(UInt64(bitPattern: Int64(number)))
    }

    private mutating func add(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { hashes += $0 }
    }

    /// 32 bytes.
    public func finish() -> Data {
        var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
        crypto_hash_sha256(&digest, hashes, UInt64(hashes.count))
        return Data(digest)
    }
}
