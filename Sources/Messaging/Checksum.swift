import CSodium
import Foundation

/// A 64-bit checksum against accidents on the way: TCP's own 16 bits are weak over terabytes.
///
/// It is the first half of Poly1305 under a fixed public key, so it protects against damage and not against forgery.
/// Any change of one bit changes it, other damage passes with probability 2^-64. Rejected: CRC32C, whose instruction
/// cannot be reached from Swift without a C target; its table form runs at a third of the speed of libsodium's
/// vectorised Poly1305, and at a hundredth in a debug build.
enum Checksum {
    private static let key = Array("QuantSim frame checksum not auth".utf8)

    static func of(_ data: Data) -> UInt64 {
        data.withUnsafeBytes { of($0) }
    }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        Sodium.start()
        var tag = [UInt8](repeating: 0, count: 16)
        _ = crypto_onetimeauth(
            &tag, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count), key)
        return UInt64(littleEndian: tag.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    }
}
