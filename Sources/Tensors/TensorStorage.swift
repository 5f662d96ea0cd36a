import Foundation
import Support
import Synchronization

/// The bytes of a tensor: allocated, memory-mapped from a file, borrowed from an owner that is kept alive, or computed when they
/// are asked for.
///
/// `@unchecked Sendable` is safe because the bytes never change after `init` returns: the only mutable access is the
/// closure that fills a fresh allocation before anyone else can see it.
public final class TensorStorage: @unchecked Sendable {
    /// In bytes.
    public let byteCount: Int
    private let lasting: UnsafeRawBufferPointer
    private let release: () -> Void
    /// Writes the bytes where they are not kept.
    private let make: (@Sendable (UnsafeMutableRawBufferPointer) -> Void)?
    /// Of bytes that are not kept: what somebody keeps all the same.
    private let kept = Mutex(WeakStorage())

    private struct WeakStorage: Sendable {
        weak var storage: TensorStorage?
    }

    /// All bytes of the storage. Valid as long as the storage lives.
    /// - Precondition: they are not computed when they are asked for.
    public var bytes: UnsafeRawBufferPointer {
        precondition(make == nil, "the bytes are not kept")
        return lasting
    }

    /// Allocates `byteCount` bytes, aligned to a cache line, and has `fill` write them.
    public init(byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Swift.max(byteCount, 1), alignment: 64)
        do {
            try fill(UnsafeMutableRawBufferPointer(rebasing: memory[0..<byteCount]))
        } catch {
            memory.deallocate()
            throw error
        }
        self.byteCount = byteCount
        lasting = UnsafeRawBufferPointer(rebasing: memory[0..<byteCount])
        release = { memory.deallocate() }
        make = nil
    }

    /// Bytes that are computed anew whenever they are asked for, and not kept: of large constants that are read once or twice.
    /// - Parameters:
    ///   - byteCount: in bytes.
    ///   - make: writes all bytes, the same each time; on any thread.
    package init(
        computing byteCount: Int, by make: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Void
    ) {
        self.byteCount = byteCount
        lasting = UnsafeRawBufferPointer(start: nil, count: 0)
        release = {}
        self.make = make
    }

    /// Whether the bytes are computed when they are asked for.
    var isComputed: Bool { make != nil }

    /// Calls `body` with all bytes, which last as long as it runs.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        guard make != nil else { return try withExtendedLifetime(self) { try body(lasting) } }
        let copy = lastingStorage
        return try withExtendedLifetime(copy) { try body(copy.lasting) }
    }

    /// The same bytes for as long as somebody holds what is returned.
    var lastingStorage: TensorStorage {
        guard let make else { return self }
        return kept.withLock { kept in
            if let known = kept.storage { return known }
            let storage = TensorStorage(byteCount: byteCount) { make($0) }
            kept.storage = storage
            return storage
        }
    }

    /// Keeps bytes that something else owns; `release` is called once, when the storage is no longer used.
    public init(borrowing bytes: UnsafeRawBufferPointer, release: @escaping () -> Void) {
        byteCount = bytes.count
        lasting = bytes
        self.release = release
        make = nil
    }

    /// Maps a file into memory, read-only.
    /// - Throws: `UnreadableFile`.
    package static func mapping(file: URL) throws(UnreadableFile) -> TensorStorage {
        let bytes = try RegularFile.mapping(file)
        return TensorStorage(borrowing: bytes) {
            MappedFiles.unmap(bytes)
        }
    }

    deinit { release() }
}
