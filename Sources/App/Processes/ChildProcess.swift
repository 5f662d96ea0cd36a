import Foundation
import JobFile

/// A program started by this one, whose standard input is a socket that only this process holds the other end of. Output
/// goes where this process's goes; error too, unless it is to be read here. Started through `posix_spawn`: Foundation's `Process` passes ignored signals on.
struct ChildProcess: Sendable {
    let identifier: Int32
    /// The writing end of the child's standard input; whoever has the value closes it once.
    let input: Int32

    /// - Parameter errors: what the child's standard error is written to; the caller closes it.
    /// - Throws: `JobError(.processNotStarted)`.
    init(executable: String, arguments: [String], errors: Int32 = STDERR_FILENO) throws {
        func check(_ result: Int32) throws {
            guard result == 0 else {
                throw JobError(
                    .processNotStarted, file: executable, found: String(cString: strerror(result)), systemError: result)
            }
        }
        let (reading, writing) = try closeOnExecPair().get()
        defer { close(reading) }
        do {
            var files = posix_spawn_file_actions_t()
            try check(posix_spawn_file_actions_init(&files))
            defer { posix_spawn_file_actions_destroy(&files) }
            try check(posix_spawn_file_actions_adddup2(&files, reading, STDIN_FILENO))
            if errors != STDERR_FILENO {
                try check(posix_spawn_file_actions_adddup2(&files, errors, STDERR_FILENO))
            }

            var attributes = posix_spawnattr_t()
            try check(posix_spawnattr_init(&attributes))
            defer { posix_spawnattr_destroy(&attributes) }
            var signals = sigset_t()
            sigemptyset(&signals)
            try check(posix_spawnattr_setsigmask(&attributes, &signals))
            sigfillset(&signals)
            try check(posix_spawnattr_setsigdefault(&attributes, &signals))
            // A process group of its own: Ctrl-C reaches the launcher alone, which ends its children in good order.
            try check(posix_spawnattr_setpgroup(&attributes, 0))
            let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
            try check(posix_spawnattr_setflags(&attributes, Int16(flags)))

            var process: Int32 = 0
            let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
            try withCStrings([executable] + arguments) { arguments in
                try withCStrings(environment) { environment in
                    try check(posix_spawn(&process, executable, &files, &attributes, arguments, environment))
                }
            }
            identifier = process
            input = writing
        } catch {
            close(writing)
            throw error
        }
    }

    /// Waits until the process has ended, without reaping it: its identifier stays its own.
    func waitUntilEnded() {
        var info = siginfo_t()
        while waitid(P_PID, id_t(identifier), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    }

    /// Reaps the process, whose identifier may be another process's from then on. The kernel's figure of its peak memory
    /// is of no use: it counts this process's memory in, which the child shared before it became another program.
    /// - Returns: the exit code, or 128 and the signal's number, as shells have it.
    func reap() -> Int32 {
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        // As WIFSIGNALED, WTERMSIG and WEXITSTATUS, which are macros that Swift does not see.
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
}

/// Two connected descriptors that no other program started meanwhile inherits. A socket pair, since Swift does not see
/// `pipe2`, and `pipe` with `fcntl` leaves a moment between.
func closeOnExecPair() -> Result<(reading: Int32, writing: Int32), JobError> {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
        return .failure(JobError(.processNotStarted, found: String(cString: strerror(errno)), systemError: errno))
    }
    return .success((ends[0], ends[1]))
}

/// A null-terminated array of C strings for the duration of `body`.
private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
) rethrows -> Result {
    let pointers = strings.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return try body(pointers)
}
