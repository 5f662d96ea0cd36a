private import CSodium
import Foundation

/// A digest of a training's state that is quick enough to be taken after every step: SHA-256 over the Poly1305 tags of
/// the state's pieces. The tags' key is no secret: what is guarded against is a machine that computes wrongly.
public struct StateDigest {
    /// Bytes that get one tag.
    private static let piece = 256 << 10
    private static let key = [UInt8]("quantsim digest of training state".utf8.prefix(Int(crypto_onetimeauth_KEYBYTES)))
    private var tags: [UInt8] = []

    public init() {}

    /// Adds elements; their bits count, and where one vector ends and the next begins.
    public mutating func add(_ elements: [Float]) {
        elements.withUnsafeBytes { bytes in
            var start = 0
            repeat {
                let end = min(start + Self.piece, bytes.count)
                let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                var tag = [UInt8](repeating: 0, count: Int(crypto_onetimeauth_BYTES))
                crypto_onetimeauth(
                    &tag, piece.assumingMemoryBound(to: UInt8.self).baseAddress, UInt64(piece.count), Self.key)
                tags += tag
                start = end
            } while start < bytes.count
        }
        add(elements.count)
    }

    public mutating func add(_ number: Int) {
        withUnsafeBytes(of: UInt64(bitPattern: Int64(number)).littleEndian) { tags += $0 }
    }

    /// 32 bytes.
    public func finish() -> Data {
        var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
        crypto_hash_sha256(&digest, tags, UInt64(tags.count))
        return Data(digest)
    }
}
