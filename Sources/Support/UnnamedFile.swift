import Foundation

/// A file without a name, for more bytes than memory should hold. The system removes it with its last user, however that ends.
/// Used by one thread at a time.
package final class UnnamedFile {
    /// `TMPDIR`, or else where files lie that are too large for `/tmp`.
    package static let usualFolder = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp"

    private let folder: String
    private let descriptor: Int32
    /// Bytes that were written.
    package private(set) var count = 0

    /// An empty one.
    /// - Parameter folder: where its bytes lie.
    /// - Throws: `FileError` with the folder.
    package init(in folder: String = usualFolder) throws(FileError) {
        self.folder = folder
        var name = Array("\(folder)/quantsim.XXXXXX".utf8CString)
        descriptor = mkstemp(&name)
        guard descriptor >= 0 else { throw FileError(.create, path: folder, systemError: errno) }
        unlink(name)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { close(descriptor) }

    /// Appends bytes.
    /// - Throws: `FileError` with the folder.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try FileSystem.write(bytes, to: descriptor, path: folder)
        count += bytes.count
    }

    /// All bytes, mapped into memory; nothing is to be written any more.
    /// - Throws: `FileError` with the folder.
    package func mapped() throws(FileError) -> Data {
        guard count > 0 else { return Data() }
        guard let bytes = MappedFiles.map(descriptor, count: count), let start = bytes.baseAddress else {
            throw FileError(.create, path: folder, systemError: errno)
        }
        return Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count,
            deallocator: .custom { MappedFiles.unmap(UnsafeRawBufferPointer(start: $0, count: $1)) })
    }
}
