import Foundation
import Support

extension DatasetSource {
    /// Blocks of a file that are looked at, beside its first and its last.
    private static let blocks = 30
    /// In bytes.
    private static let blockSize = 4096
    /// Files whose content is looked at, spread over all.
    private static let fileLimit = 20_000

    /// A digest of the names and sizes of all files and of what stands in them: whole files where they are small, else the
    /// beginning, the end and blocks spread between, so that terabytes take no longer than their headers. Other data under the
    /// same names has another digest unless it differs in few places alone.
    /// - Throws: `DatasetError(.cannotOpen)`.
    public func contentDigest() throws -> SHA256Digest {
        let files = try listing()
        var digests = Data()
        let step = max(1, (files.count + Self.fileLimit - 1) / Self.fileLimit)
        for (index, file) in files.enumerated() {
            let size = (try? FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int) ?? 0
            // With the name of the folder, which is a class where files are images.
            let name = file.pathComponents.suffix(kind == .folder ? 2 : 1).joined(separator: "/")
            digests.append(contentsOf: "\(name) \(size)\n".utf8)
            if index % step == 0 { digests.append(try Self.digest(of: file, size: size).bytes) }
        }
        return SHA256Digest(of: digests)
    }

    /// The files that samples stand in, those in folders among them, in order.
    private func listing() throws -> [URL] {
        guard kind == .folder else { return files }
        return try files.flatMap { folder in
            let samples = try FolderSamples(path: folder.path)
            var found: [URL] = []
            while let (name, _) = try samples.nextName() { found.append(folder.appendingPathComponent(name)) }
            return found
        }
    }

    private static func digest(of file: URL, size: Int) throws -> SHA256Digest {
        // What is no file is a bad sample, found where samples are read.
        guard FileKind(at: file.path) == .regular else { return SHA256Digest(of: Data()) }
        do {
            let handle = try FileHandle(forReadingFrom: file)
            defer { try? handle.close() }
            if size <= blockSize * (blocks + 2) { return SHA256Digest(of: try handle.readToEnd() ?? Data()) }
            var read = Data()
            for block in 0...blocks + 1 {
                try handle.seek(toOffset: UInt64((size - blockSize) / (blocks + 1) * block))
                read.append(try handle.read(upToCount: blockSize) ?? Data())
            }
            try handle.seek(toOffset: UInt64(size - blockSize))
            read.append(try handle.read(upToCount: blockSize) ?? Data())
            return SHA256Digest(of: read)
        } catch {
            throw DatasetError(.cannotOpen, file: file.path, found: SystemError.words(for: error))
        }
    }
}
