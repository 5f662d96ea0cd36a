import Foundation
import JobFile
import Quantization
import Support

/// The folder that a job's results go to. Files appear whole or not at all: they are written under a temporary name,
/// flushed to disk, and renamed.
public struct OutputFolder: Equatable, Sendable {
    /// The folder itself, which exists and can be written.
    public let url: URL

    /// Makes the folder and its parents where they are absent.
    /// - Throws: `JobError(.unwritableFile)`.
    public init(creating url: URL) throws {
        self.url = url
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw JobError(unwritable: url.path, SystemError.number(in: error) ?? EEXIST)
        }
        // Found out now rather than after hours of work.
        guard access(url.path, W_OK | X_OK) == 0 else { throw JobError(unwritable: url.path, errno) }
    }

    /// The model that encodings are of, its weights not rounded: prepared, and trained where the job trains.
    public var model: URL { url.appendingPathComponent("model.onnx") }
    /// The model with QuantizeLinear and DequantizeLinear, where the job asks for it.
    public var quantizedModel: URL { url.appendingPathComponent("model_qdq.onnx") }
    /// The report for programs.
    public var report: URL { url.appendingPathComponent("report.json") }
    /// The report for people, in one file that needs no network.
    public var reportPage: URL { url.appendingPathComponent("report.html") }
    /// What each quantizer does, where the job asks for it.
    public var analysis: URL { url.appendingPathComponent("analysis.json") }
    /// The folder of a training's checkpoints.
    public var checkpoints: URL { url.appendingPathComponent("checkpoints", isDirectory: true) }
    /// What the coordinator has committed, for a resumed run.
    public var journal: URL { url.appendingPathComponent("journal.sqlite") }

    /// Encodings in the first version that the job asks for.
    public var encodings: URL { url.appendingPathComponent("model.encodings") }

    /// Encodings in one version of the format; there is a file for each that the job asks for.
    public func encodings(_ version: EncodingsFile.Version) -> URL {
        url.appendingPathComponent("model.\(version.rawValue).encodings")
    }
}

/// Replaces the file at `url` with `data`; whoever reads meanwhile sees the old file or the new one, also after a crash.
/// - Throws: `JobError(.unwritableFile)` naming the file; no temporary file is left.
public func writeAtomically(_ data: Data, to url: URL) throws {
    do throws(FileError) {
        try AtomicFile.write(data, to: url)
    } catch {
        throw JobError(unwritable: error.path, error.systemError)
    }
}
