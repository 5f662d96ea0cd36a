import Foundation
import Support
import Synchronization
import Tensors

/// The files beside a model that hold its large tensors, each mapped into memory once.
final class ExternalData: Sendable {
    private let directory: URL?
    private let files: Mutex<[String: TensorStorage]>

    init(directory: URL?) {
        self.directory = directory
        files = Mutex([:])
    }

    init(files: [String: TensorStorage]) {
        directory = nil
        self.files = Mutex(files)
    }

    /// The bytes of the file at `location`, relative to the model's folder.
    /// - Throws: `ONNXError`: missingExternalFile, or externalPathOutside for a path that leaves the folder, by
    ///   `..`, as an absolute path or through a symbolic link. A model from elsewhere could otherwise have any file of
    ///   this machine copied into its weights.
    func file(_ location: String, model: String, tensor: String) throws -> TensorStorage {
        try files.withLock { files in
            if let known = files[location] { return known }
            guard let directory else {
                throw ONNXError(.missingExternalFile, file: location, tensor: tensor)
            }
            let parts = location.split(separator: "/", omittingEmptySubsequences: false)
            let root = directory.resolvingSymlinksInPath().standardizedFileURL.path
            let url = directory.appendingPathComponent(location).resolvingSymlinksInPath().standardizedFileURL
            guard !location.isEmpty, !location.hasPrefix("/"), !parts.contains(".."), !location.contains("\0"),
                url.path.hasPrefix(root.hasSuffix("/") ? root : root + "/")
            else {
                throw ONNXError(
                    .externalPathOutside, file: model, tensor: tensor, expected: "a path inside the model's folder",
                    found: location)
            }
            do throws(UnreadableFile) {
                let storage = try TensorStorage.mapping(file: url)
                files[location] = storage
                return storage
            } catch {
                let isMissing = error.systemError == ENOENT
                throw ONNXError(
                    isMissing ? .missingExternalFile : .unreadable, file: url.path, tensor: tensor,
                    found: isMissing ? nil : error.reason)
            }
        }
    }
}
