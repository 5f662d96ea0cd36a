import Foundation
import Support

/// Ends the process with a sentence where a file that is mapped into memory, as a model's external data, becomes shorter while it
/// is read: the system then has no bytes for its last pages, and would end the process without a word.
///
/// Rejected: reading such files by calls that fail. Weights of many gigabytes would be copied by everything that looks at them.
public enum MappedFileFaults {
    /// Watches from now until the process ends.
    public static func watch() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = end
        sigaction(SIGBUS, &action, nil)
    }
}

private let sentence: StaticString =
    "Error: a file that was being read, a model or its external data, has become shorter meanwhile\n"

/// Runs inside the signal handler: nothing but calls that are safe there.
private func end(_ signal: Int32) {
    write(STDERR_FILENO, sentence.utf8Start, sentence.utf8CodeUnitCount)
    _exit(ExitReason.temporary.rawValue)
}
