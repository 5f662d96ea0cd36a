import ClusterProtocol
import Foundation
import Messaging
import Support

/// An artifact that a worker keeps in a file without a name, from which it is mapped into memory: those that are large.
struct SpilledArtifact: ArrivingArtifact {
    /// Artifacts of this many bytes or more are kept in files.
    static let size = 32 << 20

    private let size: Int
    private let file: Result<UnnamedFile, FileError>

    init(size: Int) {
        self.size = size
        file = Result { () throws(FileError) in try UnnamedFile() }
    }

    /// Where a worker keeps an artifact of so many bytes.
    static func keeping(size: Int) -> any ArrivingArtifact {
        size >= Self.size ? SpilledArtifact(size: size) : ArrivingBytes(size: size)
    }

    var count: Int { (try? file.get().count) ?? 0 }

    func append(_ chunk: Data, at offset: Int) throws(FileError) -> Bool {
        let file = try file.get()
        guard !chunk.isEmpty, offset == file.count, chunk.count <= size - file.count else { return false }
        try chunk.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try file.append(bytes) }
        }.get()
        return true
    }

    func take() throws(FileError) -> Data { try file.get().mapped() }
}
