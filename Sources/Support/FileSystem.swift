import Foundation

/// An operation on a file that the system refused. Data only: whoever asked for the operation makes its own error of it,
/// or the command line a sentence.
public struct FileError: Error, Equatable, Sendable {
    /// What was asked of the system.
    public enum Operation: String, Sendable {
        case create, write
        /// That what was written, or a folder's names, be on the disk.
        case flush
        case rename, remove
    }

    /// What was refused.
    public var operation: Operation
    /// The file or folder concerned.
    public var path: String
    /// The reason as an `errno`.
    public var systemError: Int32
    /// Why, in words, where the refusal is not the system's but ours.
    public var refusal: String?

    /// - Parameter systemError: an `errno`.
    public init(_ operation: Operation, path: String, systemError: Int32, refusal: String? = nil) {
        self.operation = operation
        self.path = path
        self.systemError = systemError
        self.refusal = refusal
    }

    /// The reason in words; the system's where there are no others.
    public var reason: String { refusal ?? String(cString: strerror(systemError)) }
}

/// The operations that files which must outlive a crash are made of. They stand in one place so that a test can see that
/// all of them happen, and in which order, and can have any of them fail.
package enum FileSystem {
    /// Is told of every operation and its path before it is carried out; an `errno` other than 0 is returned as if it were
    /// the system's. For tests: they cannot cut the power, and nothing is forbidden to the superuser.
    @TaskLocal package static var observer: (@Sendable (FileError.Operation, _ path: String) -> Int32)?

    /// Opens a file for writing that must not exist.
    /// - Returns: the descriptor, which the caller closes.
    static func create(_ path: String) throws(FileError) -> Int32 {
        try announce(.create, path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError(.create, path: path, systemError: errno) }
        return descriptor
    }

    /// Writes all of the bytes.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws(FileError) {
        try announce(.write, path)
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            guard count > 0 else {
                if count < 0 && errno == EINTR { continue }
                // A disk that takes nothing and gives no reason is full.
                throw FileError(.write, path: path, systemError: count < 0 ? errno : ENOSPC)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    static func flush(_ descriptor: Int32, path: String) throws(FileError) {
        try announce(.flush, path)
        guard fsync(descriptor) == 0 else { throw FileError(.flush, path: path, systemError: errno) }
    }

    /// Has the system bring the contents of a file to the disk, whoever wrote them.
    static func flush(file path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(.flush, path: path, systemError: errno) }
        defer { close(descriptor) }
        try flush(descriptor, path: path)
    }

    /// Has the system bring the names in a folder to the disk. A folder that may be written to but not read cannot be
    /// flushed, and some file systems have no such operation: the names are then as safe there as they can be.
    package static func flush(folder url: URL) throws(FileError) {
        try announce(.flush, url.path)
        let descriptor = open(url.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 && errno == EACCES { return }
        guard descriptor >= 0 else { throw FileError(.flush, path: url.path, systemError: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw FileError(.flush, path: url.path, systemError: errno)
        }
    }

    /// Gives a file or folder another name, which takes the place of a file or an empty folder of that name. An error has
    /// the new name.
    package static func rename(_ old: URL, to new: URL) throws(FileError) {
        try announce(.rename, new.path)
        guard Foundation.rename(old.path, new.path) == 0 else {
            throw FileError(.rename, path: new.path, systemError: errno)
        }
    }

    /// Removes a file or a folder with all that is in it.
    package static func remove(_ url: URL) throws(FileError) {
        try announce(.remove, url.path)
        do {
            try FileManager.default.removeItem(at: url)
        } catch {
            let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? POSIXError
            let isAbsent = (error as? CocoaError)?.code == .fileNoSuchFile
            throw FileError(.remove, path: url.path, systemError: cause?.code.rawValue ?? (isAbsent ? ENOENT : EIO))
        }
    }

    private static func announce(_ operation: FileError.Operation, _ path: String) throws(FileError) {
        guard let refusal = observer?(operation, path), refusal != 0 else { return }
        throw FileError(operation, path: path, systemError: refusal)
    }
}
