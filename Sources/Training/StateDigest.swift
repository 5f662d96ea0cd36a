import Foundation
import Support

private import CXXHash

/// A digest of a training's state that is quick enough to be taken after every step: SHA-256 over XXH3 hashes of the state's
/// vectors. What is guarded against is a machine that computes wrongly, not forgery.
public struct StateDigest {
    private var hashes = ByteWriter()

    /// Of a state of which nothing was added yet.
    public init() {}

    /// Adds elements; their bits count, and where one vector ends and the next begins.
    public mutating func add(_ elements: [Float]) {
        let hash = elements.withUnsafeBytes { XXH3_128bits($0.baseAddress, $0.count) }
        hashes.append(UInt64(hash.low64))
        hashes.append(UInt64(hash.high64))
        add(elements.count)
    }

    /// Adds a number, such as that of the steps taken.
    public mutating func add(_ number: Int) {
        hashes.append(Int64(number))
    }

    /// 32 bytes.
    public func finish() -> Data {
        SHA256Digest(of: hashes.data).bytes
    }
}
