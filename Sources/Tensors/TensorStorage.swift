import Foundation
import Support

/// The bytes of a tensor: allocated, memory-mapped from a file, or borrowed from an owner that is kept alive.
///
/// `@unchecked Sendable` is safe because the bytes never change after `init` returns: the only mutable access is the
/// closure that fills a fresh allocation before anyone else can see it.
public final class TensorStorage: @unchecked Sendable {
    /// All bytes of the storage. Valid as long as the storage lives.
    public let bytes: UnsafeRawBufferPointer
    private let release: () -> Void

    /// Allocates `byteCount` bytes, aligned to a cache line, and has `fill` write them.
    public init(byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Swift.max(byteCount, 1), alignment: 64)
        do {
            try fill(UnsafeMutableRawBufferPointer(rebasing: memory[0..<byteCount]))
        } catch {
            memory.deallocate()
            throw error
        }
        bytes = UnsafeRawBufferPointer(rebasing: memory[0..<byteCount])
        release = { memory.deallocate() }
    }

    /// Keeps bytes that something else owns; `release` is called once, when the storage is no longer used.
    public init(borrowing bytes: UnsafeRawBufferPointer, release: @escaping () -> Void) {
        self.bytes = bytes
        self.release = release
    }

    /// Maps a file into memory, read-only.
    /// - Throws: `UnreadableFile`.
    package static func mapping(file: URL) throws(UnreadableFile) -> TensorStorage {
        let bytes = try RegularFile.mapping(file)
        return TensorStorage(borrowing: bytes) {
            if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
        }
    }

    deinit { release() }
}
