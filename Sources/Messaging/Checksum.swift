import CXXHash
import Foundation

/// A 64-bit checksum against accidents on the way: TCP's own 16 bits are weak over terabytes. Damage passes with
/// probability 2^-64; against forgery it is no protection.
///
/// XXH3, because it costs a tenth of what moving the bytes through the kernel costs. Rejected: Poly1305, which took as long
/// as all arithmetic of an exchange of gradients.
enum Checksum {
    static func of(_ data: Data) -> UInt64 {
        data.withUnsafeBytes { of($0) }
    }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        XXH3_64bits(bytes.baseAddress, bytes.count)
    }
}
