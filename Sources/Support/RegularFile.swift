import Foundation

/// What there is at a path, in the words of an error.
package enum FileKind: String, Sendable {
    case regular = "a regular file"
    case folder = "a folder"
    case fifo = "a FIFO"
    case socket = "a socket"
    case device = "a device"
    case other = "something that is no file"

    /// - Parameter mode: as `stat` gives it.
    init(mode: mode_t) {
        self =
            switch mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .folder
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            case S_IFCHR, S_IFBLK: .device
            default: .other
            }
    }

    /// What a path leads to, symbolic links followed; nil where there is nothing, or nothing that may be looked at.
    package init?(at path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(mode: status.st_mode)
    }
}

/// A file that somebody named for reading, and that cannot be read. Data only: each reader makes its own error of it.
package struct UnreadableFile: Error, Equatable, Sendable {
    /// As it was given.
    package var path: String
    /// The system's reason as an `errno`; nil where what is there is of a kind that is not read.
    package var systemError: Int32?
    /// What is there instead of a regular file.
    package var kind: FileKind?

    /// In words.
    package var reason: String {
        kind.map { "\($0.rawValue), not a regular file" } ?? String(cString: strerror(systemError ?? EIO))
    }
}

/// Opens files that somebody named for reading. Whatever is no regular file is refused before it is touched: to open a FIFO
/// waits for its other end, and to open a device may set something in motion.
package enum RegularFile {
    /// - Returns: the descriptor, which the caller closes.
    package static func open(_ path: String) throws(UnreadableFile) -> Int32 {
        try check(path)
        // What has taken the file's place meanwhile must not be waited for either.
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw UnreadableFile(path: path, systemError: errno) }
        var status = stat()
        let isKnown = fstat(descriptor, &status) == 0
        guard isKnown, FileKind(mode: status.st_mode) == .regular else {
            let error = UnreadableFile(
                path: path, systemError: isKnown ? nil : errno, kind: isKnown ? FileKind(mode: status.st_mode) : nil)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Refuses what is no regular file, for libraries that open a path themselves.
    package static func check(_ path: String) throws(UnreadableFile) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw UnreadableFile(path: path, systemError: errno) }
        let kind = FileKind(mode: status.st_mode)
        if kind == .folder { throw UnreadableFile(path: path, systemError: EISDIR) }
        guard kind == .regular else { throw UnreadableFile(path: path, kind: kind) }
    }

    /// The bytes of a file.
    /// - Parameter limit: so many of them; all where nil.
    package static func read(_ url: URL, limit: Int? = nil) throws(UnreadableFile) -> Data {
        let descriptor = try open(url.path)
        defer { close(descriptor) }
        var data = Data()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let wanted = min(buffer.count, (limit ?? Int.max) - data.count)
            let count = wanted > 0 ? Foundation.read(descriptor, &buffer, wanted) : 0
            if count == 0 { return data }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw UnreadableFile(path: url.path, systemError: errno)
            }
            data.append(contentsOf: buffer[..<count])
        }
    }

    /// The bytes of a file, mapped into memory.
    package static func map(_ url: URL) throws(UnreadableFile) -> Data {
        let bytes = try mapping(url)
        guard let address = bytes.baseAddress else { return Data() }
        return Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: address), count: bytes.count,
            deallocator: .custom { MappedFiles.unmap(UnsafeRawBufferPointer(start: $0, count: $1)) })
    }

    /// Maps a file into memory, read-only.
    /// - Returns: the bytes, which the caller unmaps by `MappedFiles.unmap`; none of an empty file.
    package static func mapping(_ url: URL) throws(UnreadableFile) -> UnsafeRawBufferPointer {
        let descriptor = try open(url.path)
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw UnreadableFile(path: url.path, systemError: errno) }
        let count = Int(status.st_size)
        guard count > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        guard let bytes = MappedFiles.map(descriptor, count: count) else {
            throw UnreadableFile(path: url.path, systemError: errno)
        }
        return bytes
    }
}
