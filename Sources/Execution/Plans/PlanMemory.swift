import Foundation

/// How much memory one plan may take: a small file can describe a network that no machine has room for.
enum PlanMemory {
    /// The environment variable that sets the limit, in GiB.
    static let variable = "QUANTSIM_PLAN_MEMORY_GIB"
    /// In bytes: what the variable says, else the smaller of 16 GiB and half of the machine's memory.
    private static let limit: Int = {
        if let text = ProcessInfo.processInfo.environment[variable], let gigabytes = Double(text), gigabytes > 0 {
            return Int(min(gigabytes, 1_048_576) * 1_073_741_824)
        }
        return min(16 << 30, Int(clamping: ProcessInfo.processInfo.physicalMemory / 2))
    }()

    /// - Parameter byteCount: values and scratchpad of a plan, before any of it is allocated.
    /// - Throws: `ExecutionError(.tooLarge)`.
    static func check(_ byteCount: Int) throws {
        guard byteCount <= limit else {
            func text(_ bytes: Int) -> String { String(format: "%.1f GiB", Double(bytes) / 1_073_741_824) }
            throw ExecutionError(
                .tooLarge, expected: "at most \(text(limit)), which \(variable) sets",
                found: "\(text(byteCount)) for one forward pass")
        }
    }
}
