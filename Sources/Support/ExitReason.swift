/// Why the process ends; the raw value is its exit code. Launchers act on them: 42 must not be retried, 75 and 143 may be.
public enum ExitReason: Int32, Sendable, CaseIterable {
    case done = 0
    case internalFault = 1
    case usage = 2
    /// Bad model, job or data.
    case permanent = 42
    case temporary = 75
    /// Ended early and cleanly, because it was told to (SIGTERM).
    case drained = 143
}
