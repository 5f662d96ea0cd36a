import ClusterProtocol
import Support
import Synchronization

/// What the job's first workers came to in its probes: all others must come to the same, in this life of the coordinator and
/// in those that follow.
final class ProbeBook: Sendable {
    private let journal: Journal?
    private let answers: Mutex<[SHA256Digest: ProbeAnswer]>

    /// - Parameter journal: keeps the answers, and has those of former lives.
    /// - Throws: `ClusterError` `.journal`, `.unusableJournal`.
    init(_ journal: Journal?) throws {
        self.journal = journal
        let kept = try journal?.probes() ?? []
        answers = Mutex(Dictionary(kept.map { ($0.subject, $0) }, uniquingKeysWith: { first, _ in first }))
    }

    /// The probe of a pass, with its answer where there is one.
    func probe(of subject: SHA256Digest) -> Probe {
        Probe(subject: subject, answer: answers.withLock { $0[subject] })
    }

    /// Durable when it returns, where there is a journal.
    /// - Throws: `ClusterError` `.journal`, `.unusableJournal`, `.superseded`.
    func keep(_ answer: ProbeAnswer) throws {
        try answers.withLock { answers in
            guard answers[answer.subject] == nil else { return }
            try journal?.keep(answer)
            answers[answer.subject] = answer
        }
    }
}
