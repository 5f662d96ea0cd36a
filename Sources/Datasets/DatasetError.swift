/// What is wrong with a dataset: with a source, which ends the work, or with one sample, which may be left out.
public struct DatasetError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Code: String, Sendable {
        // Sources

        /// The path or glob `file` matches nothing.
        case noMatch
        /// The files that a glob matches are of different kinds; `expected` and `found` are kinds.
        case mixedKinds
        /// A file that is not an `.npz`, a `.tar`, an image or a folder.
        case unknownKind
        /// A file or folder cannot be opened or read; `found` is the system's reason.
        case cannotOpen
        /// A file ends before it should; `expected` and `found` are bytes.
        case truncatedSource
        /// A tar whose headers are wrong, or use what is not supported; `found` says which.
        case malformedArchive
        /// An array of labels that does not hold one integer per sample; `key` names the array.
        case malformedLabels
        /// The bytes of a shard's payload are not what a payload is; `found` names the part.
        case malformedPayload
        /// Image settings that no image can be brought to; `key` names the setting.
        case invalidPreprocessing
        /// A folder of samples that is none of the classes; `key` names it.
        case unknownClass

        // Samples

        /// An image that cannot be decoded in full; `found` is the codec's reason.
        case corruptImage
        /// An image of a kind that is not decoded, such as CMYK.
        case unsupportedImage
        /// More pixels, or more bytes in a sample, than the limit; `expected` is the limit.
        case sampleTooLarge
        /// A sample without image and without arrays.
        case missingContent
        /// A sample with two images, or two files of one extension.
        case ambiguousContent
        /// A label that is not an integer.
        case invalidLabel
        /// A label that is none of the model's classes; `expected` is their range.
        case labelOutOfRange
        /// An array of a sample that cannot be read; `found` says why.
        case corruptArray
        /// An array with an element that is NaN or infinite; `found` says which.
        case notFinite
    }

    /// What is wrong.
    public var code: Code
    /// The source's path, or the glob; empty where the bytes came from elsewhere.
    public var file: String
    /// The sample's key; empty where the whole source is meant.
    public var key: String
    /// What the format or the model wants; empty when it does not matter.
    public var expected: String
    /// What is there, or the system's reason; empty when it does not matter.
    public var found: String

    public init(_ code: Code, file: String = "", key: String = "", expected: String = "", found: String = "") {
        self.code = code
        self.file = file
        self.key = key
        self.expected = expected
        self.found = found
    }

    /// Whether one sample is bad and the others can be used without it.
    public var isBadSample: Bool {
        switch code {
        case .corruptImage, .unsupportedImage, .sampleTooLarge, .missingContent, .ambiguousContent, .invalidLabel,
            .labelOutOfRange, .corruptArray, .notFinite:
            true
        case .noMatch, .mixedKinds, .unknownKind, .cannotOpen, .truncatedSource, .malformedArchive, .malformedLabels,
            .malformedPayload, .invalidPreprocessing, .unknownClass:
            false
        }
    }

    /// The same error with the place it arose in.
    public func at(file: String, key: String) -> DatasetError {
        var error = self
        error.file = file
        error.key = key
        return error
    }
}
