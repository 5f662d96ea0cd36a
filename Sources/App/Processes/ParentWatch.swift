import Foundation

/// How a launched worker learns that its launcher has ended, however it ended: the launcher holds the other end of the
/// worker's standard input and never writes to it.
///
/// Rejected: PR_SET_PDEATHSIG is tied to the thread that launched, and races with a parent that dies at once; asking for
/// the parent's process id polls, and means nothing under a subreaper.
public enum ParentWatch {
    /// Calls `action` on a thread of its own once `descriptor` is at its end.
    public static func onEnd(of descriptor: Int32 = STDIN_FILENO, _ action: @escaping @Sendable () -> Void) {
        let thread = Thread {
            var byte: UInt8 = 0
            while true {
                let count = read(descriptor, &byte, 1)
                if count > 0 || (count < 0 && errno == EINTR) { continue }
                break
            }
            action()
        }
        thread.name = "quantsim.parent"
        thread.start()
    }
}
