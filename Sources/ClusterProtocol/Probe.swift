import Messaging
import Support

/// A fixed computation with a pass's model. Machines of one instruction set and one version of the compute library may still
/// differ, as where caches of other sizes give other blocks and so another order of additions: each worker computes it before
/// its first shard, and takes part only if it comes to the same bits as the others.
public struct Probe: Equatable, Sendable {
    /// What is computed; equal for passes that share a probe.
    public var subject: SHA256Digest
    /// What the job's first worker came to; nil where there was none yet.
    public var answer: ProbeAnswer?

    public init(subject: SHA256Digest, answer: ProbeAnswer? = nil) {
        self.subject = subject
        self.answer = answer
    }
}

/// What a machine makes of a probe.
public struct ProbeAnswer: Equatable, Sendable, CustomStringConvertible {
    /// What was computed.
    public var subject: SHA256Digest
    /// Of all that was computed.
    public var digest: SHA256Digest
    /// Where, for people.
    public var machine: String

    public init(subject: SHA256Digest, digest: SHA256Digest, machine: String) {
        self.subject = subject
        self.digest = digest
        self.machine = machine
    }

    /// For refusals: the digest's beginning and the machine.
    public var description: String { "\(digest.description.prefix(8)) as on \(machine)" }
}
