import Foundation
import Synchronization

/// The files that this process has mapped into memory.
///
/// A page of a mapped file that was looked at counts as memory of the process until it lets go of it. Whoever goes through many
/// bytes says when it is done with them; the system reads them again where somebody looks at them later. Bytes that are no
/// file's are left alone, so that nobody needs to know where those come from that it was given.
package enum MappedFiles {
    /// In bytes. Pages are let go of after each piece.
    package static let piece = 4 << 20

    /// End by start of each mapping.
    private static let mappings = Mutex<[UInt: UInt]>([:])
    private static let pageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))

    /// Maps the first `count` bytes of an open file, read-only.
    /// - Returns: nil where the system refuses, `errno` then says why.
    static func map(_ descriptor: Int32, count: Int) -> UnsafeRawBufferPointer? {
        guard let address = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
            return nil
        }
        let start = UInt(bitPattern: address)
        mappings.withLock { $0[start] = start + UInt(count) }
        return UnsafeRawBufferPointer(start: address, count: count)
    }

    /// Undoes `map`.
    package static func unmap(_ bytes: UnsafeRawBufferPointer) {
        guard let address = bytes.baseAddress else { return }
        _ = mappings.withLock { $0.removeValue(forKey: UInt(bitPattern: address)) }
        munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }

    /// Gives back the pages of bytes that are part of a mapped file.
    package static func letGo(of bytes: UnsafeRawBufferPointer) {
        guard let address = bytes.baseAddress, !bytes.isEmpty else { return }
        let (start, end) = (UInt(bitPattern: address), UInt(bitPattern: address) + UInt(bytes.count))
        let mapping = mappings.withLock { mappings in
            mappings.first { $0.key <= start && end <= $0.value }
        }
        // Whole pages, also where neighbours have a part of them.
        guard let mapping else { return }
        let first = max(mapping.key, start / pageSize * pageSize)
        madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end - first), MADV_DONTNEED)
    }

    /// Calls `body` with all bytes in order, piece by piece, and lets go of each.
    package static func forEachPiece<Failure: Error>(
        of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        for start in stride(from: 0, to: bytes.count, by: piece) {
            let part = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + piece, bytes.count)])
            defer { letGo(of: part) }
            try body(part)
        }
    }
}
