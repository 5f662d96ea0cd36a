import Foundation
import JobFile
import Jobs
import Support

/// `quantsim check`: what a job would do, before it does anything.
public enum JobChecking {
    /// - Parameter path: of the job file, as the user gave it.
    /// - Returns: the text for people, why the job could not run among it, and the exit code that a run would end with.
    /// - Throws: `JobError` where the job file itself cannot be read or is not one.
    public static func run(_ path: String) throws -> (text: String, reason: ExitReason) {
        let check = try JobCheck(job: path)
        var blocks = check.sections.filter { !$0.lines.isEmpty }.map { section in
            "\(section.title)\n" + section.lines.map { "  \($0)\n" }.joined()
        }
        let failures = check.problems.map { Failure($0) }
        if failures.isEmpty {
            blocks.append("The job can run.\n")
        } else {
            blocks.append("The job cannot run:\n" + failures.map { "  \($0.sentence)\n" }.joined())
        }
        return (blocks.joined(separator: "\n"), failures.first?.exitReason ?? .done)
    }
}
