import Foundation
import Tensors

/// One sample as its source holds it: nothing decoded or scaled.
public struct Sample: Equatable, Sendable {
    /// What a model is given of a sample.
    public enum Content: Equatable, Sendable {
        /// The bytes of a JPEG or PNG file.
        case image(Data)
        /// Arrays by name, each without a batch axis.
        case arrays([String: Tensor])
    }

    /// Unique in its source: a tar member's path up to the first dot of its last component, the index in an `.npz`, the
    /// path in a folder.
    public var key: String
    /// The path of the file or folder the sample comes from.
    public var source: String
    /// What the model is given, undecoded.
    public var content: Content
    /// The class, if the source gives one. Not compared with any number of classes here.
    public var label: Int?

    public init(key: String, source: String, content: Content, label: Int? = nil) {
        self.key = key
        self.source = source
        self.content = content
        self.label = label
    }
}

/// The samples of a source in their fixed order. Not `Sendable`: used by one thread at a time.
public protocol SampleStream: AnyObject {
    /// The next sample; nil after the last.
    /// - Throws: `DatasetError` for a bad sample (`isBadSample`), after which the stream stands behind that sample and
    ///   goes on. Any other error, `DatasetError` or `TensorFileError`, is about the source and ends the stream.
    func next() throws -> Sample?

    /// Passes over `count` samples without reading their contents, and says how many there were. Bad samples count, so
    /// that a position in the stream does not depend on how one goes there.
    func skip(_ count: Int) throws -> Int
}

/// Bounds on what a sample may be, so that no source can ask for unbounded memory.
enum SampleLimits {
    /// Bytes of all files of a sample.
    static let bytes = 1 << 28
    /// Files in a sample.
    static let files = 1024
    /// Pixels of an image. An RGB image of this size is decoded to 192 MB.
    static let pixels = 64_000_000
}
