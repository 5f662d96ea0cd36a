import Foundation
import Support
import Tensors

/// A folder of checkpoints, one folder each: `step-000000120/tensors.safetensors` and `manifest.json`. A checkpoint is
/// written under a name that begins with a dot, brought to the disk and renamed, so one that can be seen is complete.
/// Used by one process at a time.
public struct CheckpointStore: Sendable {
    /// Where the checkpoints' folders are.
    public let folder: URL
    /// Checkpoints that stay, the newest; at least one.
    public let kept: Int

    private static let prefix = "step-"
    private static let temporaryPrefix = ".step-"
    /// Before the name of a checkpoint whose successor of the same step is being put in its place.
    private static let replacedPrefix = ".replaced-"
    private static let tensorsName = "tensors.safetensors"
    private static let manifestName = "manifest.json"
    private static let maximumManifestBytes = 16 << 20

    /// Makes the folder where there is none, and clears away what interrupted writes left.
    /// - Parameter clearing: whether to clear away all that the folder holds. What stayed could later be taken for a
    ///   checkpoint of the run that begins now, so that a folder which cannot be cleared is an error.
    /// - Throws: `TrainingError(.cannotWrite)`, `.cannotOpen`.
    public init(folder: URL, keeping kept: Int = 3, clearing: Bool = false) throws(TrainingError) {
        precondition(kept > 0, "\(kept) checkpoints are none")
        self.folder = folder
        self.kept = kept
        if clearing { try Self.remove(folder) }
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw TrainingError(.cannotWrite, file: folder.path, found: SystemError.words(for: error))
        }
        let names = try self.names()
        for name in names where name.hasPrefix(Self.temporaryPrefix) {
            try Self.remove(folder.appendingPathComponent(name))
        }
        for name in names where name.hasPrefix(Self.replacedPrefix) {
            // It goes back unless its successor has its place.
            let old = folder.appendingPathComponent(name)
            let place = folder.appendingPathComponent(String(name.dropFirst(Self.replacedPrefix.count)))
            if rename(old.path, place.path) != 0 { try Self.remove(old) }
        }
    }

    /// The steps that there are checkpoints of, ascending.
    public func steps() throws(TrainingError) -> [Int] {
        try names().compactMap { name in
            name.hasPrefix(Self.prefix) ? Int(name.dropFirst(Self.prefix.count)).flatMap { $0 < 0 ? nil : $0 } : nil
        }.sorted()
    }

    /// Writes a checkpoint durably, then removes the oldest ones that are too many. One of the same step is replaced.
    /// - Parameter protected: steps whose checkpoints stay beside the newest, such as the best.
    /// - Throws: `TrainingError(.cannotWrite)`, also where the checkpoint is in place and an old one cannot be removed: what
    ///   stays could be gone on from later, in place of what was computed since.
    public func write(_ checkpoint: Checkpoint, protecting protected: Set<Int> = []) throws(TrainingError) {
        let step = checkpoint.manifest.step
        let temporary = folder.appendingPathComponent("\(Self.temporaryPrefix)\(step)-\(UUID().uuidString)")
        guard mkdir(temporary.path, 0o755) == 0 else {
            throw TrainingError(FileError(.create, path: temporary.path, systemError: errno))
        }
        let url = self.url(ofStep: step)
        // A folder with files cannot be renamed over; the old one has a hidden name until the new one is in place.
        let old = folder.appendingPathComponent(Self.replacedPrefix + url.lastPathComponent)
        var isReplaced = false
        do throws(TrainingError) {
            try writeFiles(of: checkpoint, in: temporary)
            isReplaced = rename(url.path, old.path) == 0
            do throws(FileError) {
                do throws(FileError) {
                    try FileSystem.rename(temporary, to: url)
                } catch {
                    if isReplaced { _ = rename(old.path, url.path) }
                    throw error
                }
                try FileSystem.flush(folder: folder)
            } catch {
                throw TrainingError(error)
            }
        } catch {
            try? FileManager.default.removeItem(at: temporary)
            throw error
        }
        if isReplaced { try Self.remove(old) }
        for step in try steps().dropLast(kept) where step != checkpoint.manifest.step && !protected.contains(step) {
            try Self.remove(self.url(ofStep: step))
        }
    }

    /// Removes a file or folder where there is one.
    private static func remove(_ url: URL) throws(TrainingError) {
        do throws(FileError) {
            try FileSystem.remove(url)
        } catch {
            guard error.systemError == ENOENT else { throw TrainingError(error) }
        }
    }

    /// Reads the checkpoint of a step.
    /// - Throws: `TrainingError`, among others `.digestMismatch` where the tensors are not those that were written.
    public func read(step: Int) throws(TrainingError) -> Checkpoint {
        let url = self.url(ofStep: step)
        let manifest = try self.manifest(url.appendingPathComponent(Self.manifestName))
        guard manifest.step == step else {
            throw TrainingError(
                .malformed, file: url.path, key: "step", expected: "\(step)", found: "\(manifest.step)")
        }
        let tensors = url.appendingPathComponent(Self.tensorsName)
        let contents = try Safetensors.read(tensors)
        guard contents.digest == manifest.digests[Self.tensorsName] else {
            throw TrainingError(
                .digestMismatch, file: tensors.path, expected: manifest.digests[Self.tensorsName],
                found: contents.digest)
        }
        return Checkpoint(manifest, tensors: contents.tensors)
    }

    /// The newest checkpoint that can be read and made use of. Training from an older one gives the same weights, only later, so
    /// one that the disk has spoilt is passed over.
    /// - Parameter use: makes something of a checkpoint; one that it throws `TrainingError` at is passed over too.
    /// - Returns: what was made, nil where the folder has no checkpoint; the errors of those passed over, newest first.
    /// - Throws: the newest one's error where none can be used: to begin anew would lose them without a word.
    public func readLatest<Value>(_ use: (Checkpoint) throws -> Value) throws -> (
        value: Value?, passedOver: [TrainingError]
    ) {
        var errors: [TrainingError] = []
        for step in try steps().reversed() {
            do {
                return (try use(read(step: step)), errors)
            } catch let error as TrainingError {
                errors.append(error)
            }
        }
        if let first = errors.first { throw first }
        return (nil, [])
    }

    private func url(ofStep step: Int) -> URL {
        let digits = String(step)
        return folder.appendingPathComponent(
            Self.prefix + String(repeating: "0", count: max(9 - digits.count, 0)) + digits)
    }

    private func writeFiles(of checkpoint: Checkpoint, in temporary: URL) throws(TrainingError) {
        var manifest = checkpoint.manifest
        manifest.digests[Self.tensorsName] = try Safetensors.write(
            checkpoint.tensors.map { ($0.key, $0.value) }, to: temporary.appendingPathComponent(Self.tensorsName))
        let url = temporary.appendingPathComponent(Self.manifestName)
        guard let json = try? manifest.stableJSONFile() else {
            throw TrainingError(.cannotWrite, file: url.path, key: "manifest")
        }
        do throws(FileError) {
            let file = try DurableFile(creating: url)
            try file.write(json)
            try file.flush()
            try FileSystem.flush(folder: temporary)
        } catch {
            throw TrainingError(error)
        }
    }

    private func manifest(_ url: URL) throws(TrainingError) -> Checkpoint.Manifest {
        let data: Data
        do throws(UnreadableFile) {
            data = try RegularFile.read(url, limit: Self.maximumManifestBytes)
        } catch {
            throw TrainingError(.cannotOpen, file: url.path, found: error.reason)
        }
        guard let manifest = try? JSONDecoder().decode(Checkpoint.Manifest.self, from: data) else {
            throw TrainingError(.malformed, file: url.path, key: "manifest")
        }
        guard manifest.version == Checkpoint.Manifest.version else {
            throw TrainingError(
                .malformed, file: url.path, key: "version", expected: "\(Checkpoint.Manifest.version)",
                found: "\(manifest.version)")
        }
        return manifest
    }

    private func names() throws(TrainingError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw TrainingError(.cannotOpen, file: folder.path, found: SystemError.words(for: error))
        }
    }
}
