import Foundation
import JobFile
import Support
import Synchronization

/// Watches for requests to end: the first is passed on, so that the process can finish what it has in hand; the second
/// ends the process at once with exit code 143.
///
/// SIGTERM comes from Slurm, Kubernetes and `docker stop`, SIGINT from a terminal, SIGUSR1 from `sbatch --signal=USR1@120`.
public enum TerminationSignals {
    /// Watches from now until the process ends. To be called once.
    /// - Throws: `JobError` where the process has no descriptors left.
    /// - Parameter onFirst: called once, on a thread of its own, with the signal's number.
    public static func watch(
        _ signals: [Int32] = [SIGTERM, SIGINT, SIGUSR1], onFirst: @escaping @Sendable (_ signal: Int32) -> Void
    ) throws {
        let (reading, writing) = try closeOnExecPair().get()
        guard wakeDescriptor.exchange(writing, ordering: .relaxed) < 0 else {
            preconditionFailure("termination signals are watched once a process")
        }
        // Touched before the first signal: the handler must not be the one to initialize it.
        receivedCount.store(0, ordering: .relaxed)

        let thread = Thread {
            // A launcher that blocks signals passes that on, and every thread here inherits it. One thread that does not
            // is enough for the process.
            var own = sigset_t()
            sigemptyset(&own)
            for signal in signals { sigaddset(&own, signal) }
            pthread_sigmask(SIG_UNBLOCK, &own, nil)
            var number: UInt8 = 0
            while read(reading, &number, 1) < 0, errno == EINTR {}
            onFirst(Int32(number))
            // Stays for the second signal, which no other thread may be able to take.
            while true { pause() }
        }
        for signal in signals {
            // A handler and not SIG_IGN with a dispatch source: programs that this one starts would inherit the latter.
            var action = sigaction()
            action.__sigaction_handler.sa_handler = handle
            action.sa_flags = SA_RESTART
            sigaction(signal, &action, nil)
        }
        // After the handlers: a signal that came before is delivered as soon as it is not blocked any more.
        thread.name = "quantsim.signals"
        thread.start()
    }
}

/// Receives one byte, the number of the first signal; below zero while nobody watches.
private let wakeDescriptor = Atomic<Int32>(-1)
private let receivedCount = Atomic<Int>(0)

/// Runs inside the signal handler: nothing but atomics and calls that are safe there. Ending the process from here works
/// even when every thread is stuck.
private func handle(_ signal: Int32) {
    let savedError = errno
    if receivedCount.add(1, ordering: .relaxed).oldValue > 0 {
        _exit(ExitReason.drained.rawValue)
    }
    var number = UInt8(truncatingIfNeeded: signal)
    write(wakeDescriptor.load(ordering: .relaxed), &number, 1)
    errno = savedError
}
