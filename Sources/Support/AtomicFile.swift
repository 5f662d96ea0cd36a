import Foundation

/// A file that is being written. Owns the descriptor. Used by one thread at a time.
package final class DurableFile {
    private let path: String
    private let descriptor: Int32

    /// Makes a file that must not exist.
    package init(creating url: URL) throws(FileError) {
        path = url.path
        descriptor = try FileSystem.create(path)
    }

    deinit { close(descriptor) }

    /// Appends bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try FileSystem.write(bytes, to: descriptor, path: path)
    }

    /// Appends bytes.
    package func write(_ data: Data) throws(FileError) {
        try data.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try write(bytes) }
        }.get()
    }

    /// Has the system bring all that was written to the disk.
    package func flush() throws(FileError) {
        try FileSystem.flush(descriptor, path: path)
    }
}

/// Replaces files so that whoever reads meanwhile, or after a crash, sees the old contents or the new ones and nothing in
/// between: the new ones are written under a temporary name beside the file and brought to the disk, then take the file's
/// name, and the folder's names are brought to the disk too.
package enum AtomicFile {
    /// Replaces the file at `url` by `data`.
    /// - Throws: `FileError` with the path of `url`; then the old file stands, and no temporary one is left.
    package static func write(_ data: Data, to url: URL) throws(FileError) {
        try replace(url, failure: \.self) { temporary throws(FileError) in
            do throws(FileError) {
                try DurableFile(creating: temporary).write(data)
            } catch {
                // Nobody knows the temporary file's name.
                throw FileError(error.operation, path: url.path, systemError: error.systemError)
            }
        }
    }

    /// Where the contents of `url` come to lie: behind its symbolic links. What is there and is no regular file is never
    /// replaced: a device or a FIFO would be gone, a file in its place.
    /// - Throws: `FileError` where something else than a regular file is there, or where no file can be made.
    @discardableResult
    package static func target(of url: URL) throws(FileError) -> URL {
        var status = stat()
        let isLink = lstat(url.path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
        let target = isLink ? url.resolvingSymlinksInPath() : url
        if let kind = FileKind(at: url.path) {
            if kind == .folder { throw FileError(.create, path: url.path, systemError: EISDIR) }
            guard kind == .regular else {
                throw FileError(
                    .create, path: url.path, systemError: EEXIST, refusal: "\(kind.rawValue) is not replaced by a file")
            }
        }
        let folder = target.deletingLastPathComponent().path
        guard access(folder, W_OK | X_OK) == 0 else {
            throw FileError(.create, path: url.path, systemError: errno)
        }
        return target
    }

    /// Replaces the file at `url` by what `fill` writes.
    /// - Parameters:
    ///   - failure: makes the caller's error of one that the system gave; its path is that of `url`.
    ///   - fill: writes the file at the URL that it is given, where there is none yet, and need not flush it.
    /// - Throws: what `fill` throws, and what `failure` gives; then the old file stands, and no temporary one is left. Where
    ///   only the folder could not be flushed, the new file stands.
    package static func replace<Failure: Error>(
        _ url: URL, failure: (FileError) -> Failure, _ fill: (URL) throws(Failure) -> Void
    ) throws(Failure) {
        let named = url
        let url: URL
        do throws(FileError) { url = try target(of: named) } catch { throw failure(error) }
        let folder = url.deletingLastPathComponent()
        // Not in the way of another process that writes the same file, nor of what one left that was killed.
        let temporary = folder.appendingPathComponent(".\(url.lastPathComponent).\(UUID().uuidString).partial")
        do throws(Failure) {
            try fill(temporary)
            do throws(FileError) {
                try FileSystem.flush(file: temporary.path)
                try FileSystem.rename(temporary, to: url)
            } catch {
                throw failure(FileError(error.operation, path: named.path, systemError: error.systemError))
            }
        } catch {
            unlink(temporary.path)
            throw error
        }
        do throws(FileError) { try FileSystem.flush(folder: folder) } catch { throw failure(error) }
    }
}
