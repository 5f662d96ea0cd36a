import Cluster
import ClusterProtocol
import Foundation

/// What becomes of what an output folder holds when a job is run into it.
public enum FormerResults: Equatable, Sendable {
    /// The same job goes on where it was; another is refused.
    case goOn
    /// Begins anew in place of the same job, or of another that was not finished.
    case restart
    /// Begins anew in place of whatever there is.
    case replace

    /// - Parameter fingerprint: of the job that is to run.
    /// - Returns: whether the journal is gone on from, and a line for people.
    /// - Throws: `ClusterError(.otherJob)` where the folder is another job's, `.journal` and
    ///   `.unusableJournal` where it cannot be told.
    func resumes(_ fingerprint: Data, in folder: OutputFolder) throws -> (resume: Bool, remark: String?) {
        let isFinished = FileManager.default.fileExists(atPath: folder.report.path)
        let former = self == .goOn ? try Journal.fingerprint(at: folder.journal.path) : try? known(folder)
        let isSame = former == fingerprint
        guard former != nil || isFinished else { return (false, nil) }
        var remark: String?
        switch self {
        case .goOn where isSame && isFinished:
            return (true, "this job was finished before: its results come from the journal; --restart runs it again")
        case .goOn where isSame:
            return (true, "going on with the job that was interrupted here; --restart begins anew")
        case .goOn:
            guard !isFinished, try isEmpty(folder) else { throw otherJob(folder, isFinished: isFinished) }
            remark = "another job that was begun here had nothing done; it is replaced"
        case .restart:
            guard isSame || !isFinished else { throw otherJob(folder, isFinished: true) }
        case .replace: break
        }
        return (false, remark)
    }

    /// Whether nothing of a job is done that would be lost.
    private func isEmpty(_ folder: OutputFolder) throws -> Bool {
        try JournalSummary(readingFrom: folder.journal.path).passes.allSatisfy { $0.shards == 0 }
    }

    /// Of a journal that is to be replaced, a damaged one too.
    private func known(_ folder: OutputFolder) throws -> Data {
        try Journal.fingerprint(at: folder.journal.path) ?? Data()
    }

    private func otherJob(_ folder: OutputFolder, isFinished: Bool) -> ClusterError {
        ClusterError(
            .otherJob, expected: "an output folder of this job, its model and its data",
            found: "\(folder.url.path) with \(isFinished ? "the results" : "the unfinished work") of another; "
                + (isFinished ? "--force replaces them" : "--restart begins anew"))
    }
}
