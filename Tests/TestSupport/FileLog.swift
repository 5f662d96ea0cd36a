import Foundation
import Support
import Synchronization

/// The operations on files that must outlive a crash, in the order in which they happen while a body runs. It can have one
/// kind of operation fail.
public final class FileLog: Sendable {
    private let entries = Mutex<[(operation: FileError.Operation, path: String)]>([])
    private let failing: FileError.Operation?
    private let systemError: Int32

    /// - Parameters:
    ///   - failing: the operations that are refused; none where it is nil.
    ///   - systemError: the `errno` that they are refused with.
    public init(failing: FileError.Operation? = nil, with systemError: Int32 = EIO) {
        self.failing = failing
        self.systemError = systemError
    }

    public func recording<Result>(_ body: () throws -> Result) rethrows -> Result {
        let observer: @Sendable (FileError.Operation, String) -> Int32 = { [self] operation, path in
            entries.withLock { $0.append((operation, path)) }
            return operation == failing ? systemError : 0
        }
        return try FileSystem.$observer.withValue(observer, operation: body)
    }

    public var operations: [FileError.Operation] { entries.withLock { $0.map(\.operation) } }
    public var paths: [String] { entries.withLock { $0.map(\.path) } }

    /// Whether the file that took the name of `url` was flushed right before, and its folder after.
    public func flushesBeforeRename(of url: URL) -> Bool {
        let entries = entries.withLock { $0 }
        let folder = url.deletingLastPathComponent()
        guard let place = entries.firstIndex(where: { $0 == (.rename, url.path) }), place > 0,
            place + 1 < entries.count
        else { return false }
        let before = entries[place - 1]
        return before.operation == .flush && URL(filePath: before.path).deletingLastPathComponent().path == folder.path
            && entries[place + 1] == (.flush, folder.path)
    }
}
