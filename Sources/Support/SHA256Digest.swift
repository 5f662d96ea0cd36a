import Foundation

private import CSodium

/// The SHA-256 digest of some bytes: the identity of an artifact, of a shard's result, of a descriptor, of a file.
public struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    /// In bytes.
    public static let size = 32

    // Four words and not an array: millions of digests must not be millions of heap objects.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Of all the bytes at once; `SHA256Hasher` takes them piece by piece.
    public init(of data: Data) {
        self = data.withUnsafeBytes { SHA256Digest(of: $0) }
    }

    /// Of all the bytes at once.
    public init(of bytes: UnsafeRawBufferPointer) {
        Sodium.start()
        var digest = [UInt8](repeating: 0, count: Self.size)
        crypto_hash_sha256(&digest, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
        self.init(exactly: digest)
    }

    /// Of bytes that may be a mapped file's, whose pages are let go of.
    package init(ofMapped data: Data) {
        self = data.withUnsafeBytes { SHA256Digest(ofMapped: $0) }
    }

    /// Of bytes that may be a mapped file's, whose pages are let go of.
    package init(ofMapped bytes: UnsafeRawBufferPointer) {
        var hasher = SHA256Hasher()
        MappedFiles.forEachPiece(of: bytes) { hasher.update($0) }
        self = hasher.digest()
    }

    /// Nil unless there are exactly `size` bytes.
    public init?(bytes: Data) {
        guard bytes.count == Self.size else { return nil }
        self.init(exactly: [UInt8](bytes))
    }

    /// As `description` gives it; nil for any other text.
    package init?(hexadecimal text: String) {
        let digits = text.compactMap(\.hexDigitValue)
        guard digits.count == 2 * Self.size, text.count == digits.count else { return nil }
        self.init(exactly: (0..<Self.size).map { UInt8(16 * digits[2 * $0] + digits[2 * $0 + 1]) })
    }

    fileprivate init(exactly bytes: [UInt8]) {
        words = bytes.withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }

    /// `size` bytes.
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

    /// Of the bytes.
    public static func == (left: Self, right: Self) -> Bool {
        left.words == right.words
    }

    /// Over the bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
    }
}

/// Takes bytes piece by piece; the digest is that of all of them, however they were cut.
public struct SHA256Hasher {
    private var state = crypto_hash_sha256_state()

    /// One that has no bytes yet.
    public init() {
        Sodium.start()
        crypto_hash_sha256_init(&state)
    }

    /// Appends bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        crypto_hash_sha256_update(&state, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }

    /// The digest of the bytes so far; more may follow.
    public func digest() -> SHA256Digest {
        var (ended, digest) = (state, [UInt8](repeating: 0, count: SHA256Digest.size))
        crypto_hash_sha256_final(&ended, &digest)
        return SHA256Digest(exactly: digest)
    }
}

/// libsodium must be initialised once before its first use; it then picks its variants for this processor.
private enum Sodium {
    private static let status = sodium_init()

    static func start() {
        precondition(status >= 0, "libsodium could not be initialised")
    }
}
