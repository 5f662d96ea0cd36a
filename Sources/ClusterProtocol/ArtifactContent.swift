import Foundation
import Support

/// The bytes of an artifact, wherever they are. They are read as they are sent.
public protocol ArtifactContent: Sendable {
    /// In bytes.
    var count: Int { get }

    /// Some of the bytes.
    /// - Parameter range: within `0..<count`.
    func bytes(_ range: Range<Int>) -> Data
}

extension Data: ArtifactContent {
    /// A view of these bytes.
    public func bytes(_ range: Range<Int>) -> Data {
        self[startIndex + range.lowerBound..<startIndex + range.upperBound]
    }
}

/// An artifact on its way in: whoever drives a worker says where the bytes are kept.
package protocol ArrivingArtifact {
    /// Bytes that have arrived.
    var count: Int { get }

    /// Takes the next chunk.
    /// - Returns: false, with nothing taken, where the chunk is empty, does not follow what is there, or goes beyond the size.
    /// - Throws: `FileError` where it cannot be kept.
    mutating func append(_ chunk: Data, at offset: Int) throws(FileError) -> Bool

    /// All bytes, once they are there.
    /// - Throws: `FileError` where they cannot be had.
    mutating func take() throws(FileError) -> Data
}
