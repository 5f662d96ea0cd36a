import Foundation
import JobFile
import Jobs
import Support

/// `quantsim init`.
public struct JobDraftingOptions: Equatable, Sendable {
    /// The ONNX file.
    public var model: String
    /// Samples: path or glob; nil where there are none yet.
    public var data: String?
    /// The job file to write.
    public var job: String
    /// Replace the job file where there is one.
    public var force: Bool

    public init(model: String, data: String?, job: String, force: Bool) {
        self.model = model
        self.data = data
        self.job = job
        self.force = force
    }
}

/// `quantsim init`: a commented job file that runs.
public enum JobDrafting {
    /// - Returns: what was done, for people.
    /// - Throws: `JobError(.unwritableFile)` where there is a job file already; the reading errors of model and data.
    public static func run(_ options: JobDraftingOptions) throws -> String {
        let url = URL(fileURLWithPath: options.job)
        if FileKind(at: url.path) != nil, !options.force {
            throw JobError(
                .unwritableFile, file: options.job, found: "there is one already; --force replaces it",
                systemError: EEXIST)
        }
        let draft = try JobDraft(
            model: URL(fileURLWithPath: options.model), data: options.data, folder: url.deletingLastPathComponent())
        // What is written must be a job.
        _ = try JobFile(decoding: draft.text, file: options.job)
        try writeAtomically(Data(draft.text.utf8), to: url)
        let next = draft.isIncomplete ? "fill in the path of your samples, then" : "next:"
        return "\(options.job) written; \(next) quantsim check \(options.job), quantsim run \(options.job)"
    }
}
