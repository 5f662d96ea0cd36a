import CXXHash
import Foundation

/// A 64-bit checksum against accidents on the way: TCP's own 16 bits are weak over terabytes. Damage passes with
/// probability 2^-64; against forgery it is no protection.
///
/// Rejected: Poly1305, which took a third of the computing time that an exchange of gradients spends outside of the kernel.
enum Checksum {
    static func of(_ data: Data) -> UInt64 {
        data.withUnsafeBytes { of($0) }
    }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        XXH3_64bits(bytes.baseAddress, bytes.count)
    }
}
