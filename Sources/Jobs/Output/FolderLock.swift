import Foundation
import JobFile

/// Keeps other processes of this program out of an output folder for as long as the lock lives; the system lets go of it
/// when the process dies. Without it, a second coordinator that is started by mistake would replace the first one's journal.
final class FolderLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `JobError(.unwritableFile)` where another process holds the folder. A file system without locks has none.
    init(_ folder: URL) throws {
        descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw JobError(unwritable: folder.path, errno) }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            close(descriptor)
            throw JobError(
                .unwritableFile, file: folder.path, found: "another run writes to this folder", systemError: EBUSY)
        }
    }

    deinit { close(descriptor) }
}
