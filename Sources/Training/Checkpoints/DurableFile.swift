import Foundation

private import CSodium

/// A file that is being written, with the digest of what has been. Owns the descriptor. Used by one thread at a time.
final class DurableFile {
    private let path: String
    private let descriptor: Int32
    private var state = crypto_hash_sha256_state()

    /// Makes a file that must not exist.
    init(creating url: URL) throws(TrainingError) {
        path = url.path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure(.cannotWrite, path) }
        crypto_hash_sha256_init(&state)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TrainingError) {
        if let start = bytes.baseAddress {
            crypto_hash_sha256_update(&state, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
        }
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            guard count > 0 else {
                if count < 0 && errno == EINTR { continue }
                throw Self.failure(.cannotWrite, path)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Has the system bring all that was written to the disk.
    /// - Returns: the SHA-256 of the file, in hexadecimal digits.
    func finish() throws(TrainingError) -> String {
        guard fsync(descriptor) == 0 else { throw Self.failure(.cannotWrite, path) }
        var digest = [UInt8](repeating: 0, count: 32)
        crypto_hash_sha256_final(&state, &digest)
        return Self.hexadecimal(digest)
    }

    /// Has the system bring the names in a folder to the disk.
    static func synchronize(folder url: URL) throws(TrainingError) {
        let descriptor = open(url.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(.cannotWrite, url.path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(.cannotWrite, url.path) }
    }

    /// The SHA-256 of bytes, in hexadecimal digits.
    static func digest(_ bytes: UnsafeRawBufferPointer) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        crypto_hash_sha256(&digest, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
        return hexadecimal(digest)
    }

    static func failure(_ code: TrainingError.Code, _ path: String) -> TrainingError {
        TrainingError(code, file: path, found: String(cString: strerror(errno)))
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
