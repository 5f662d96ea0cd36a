import CSodium
import Foundation

/// The SHA-256 digest of some bytes: the identity of an artifact, of a shard's result, of a descriptor.
public struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    /// In bytes.
    public static let size = 32

    // Four words and not an array: millions of digests must not be millions of heap objects.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public init(of data: Data) {
        Sodium.start()
        var digest = [UInt8](repeating: 0, count: Self.size)
        data.withUnsafeBytes { input in
            _ = crypto_hash_sha256(
                &digest, input.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(input.count))
        }
        words = digest.withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }

    /// Nil unless there are exactly `size` bytes.
    public init?(bytes: Data) {
        guard bytes.count == Self.size else { return nil }
        words = [UInt8](bytes).withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }

    public var bytes: Data {
        withUnsafeBytes(of: words) { Data($0) }
    }

    /// The first eight bytes: enough to tell results apart by accident, too few against an adversary.
    public var prefix: UInt64 { words.0 }

    /// 64 hexadecimal digits.
    public var description: String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.words == right.words
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
    }
}

/// libsodium must be initialised once before its first use; it then picks its variants for this processor.
enum Sodium {
    private static let status = sodium_init()

    static func start() {
        precondition(status >= 0, "libsodium could not be initialised")
    }
}
