import Support

/// What is wrong with the numbers of a training step, or with a file of a checkpoint. Data only: the command line turns
/// it into a sentence.
public struct TrainingError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Code: String, Sendable {
        // Numbers

        /// NaN or infinity in a gradient or a loss; `key` is the tensor, `index` the element.
        case notFinite
        /// A loss that has grown without bound; `expected` is the bound.
        case diverged
        /// A gradient too large for the exact sum; `expected` is the bound.
        case tooLarge
        /// More addends than the exact sum has room for; `expected` is the bound.
        case tooManyAddends
        /// A label that is none of the classes; `index` is the sample.
        case labelOutOfRange
        /// More or fewer elements, samples or channels than the rest of the step has; `key` says of what.
        case lengthMismatch
        /// Two parameters of one name.
        case duplicateName
        /// A setting that cannot be; `key` names it.
        case invalidSetting

        // Bytes and files

        /// Bytes that are not what they should be; `key` says where.
        case malformed
        /// A file or folder that cannot be opened or read; `found` is the system's reason.
        case cannotOpen
        /// A file or folder that cannot be written; `found` is the system's reason.
        case cannotWrite
        /// A file that ends before it should; `expected` and `found` are bytes.
        case truncated
        /// An element type other than float32.
        case unsupportedElementType
        /// A file whose digest is not the one that the manifest has.
        case digestMismatch
        /// A tensor that a checkpoint lacks, or one too many; `key` is its name.
        case differentTensors
        /// A folder without any complete checkpoint.
        case noCheckpoint
    }

    /// What is wrong.
    public var code: Code
    /// The optimizer step, from 0, and the slot of it.
    public var step: Int?
    /// The slot of the step, from 0.
    public var slot: Int?
    /// The file's path; nil where the bytes came from elsewhere.
    public var file: String?
    /// The tensor, the setting or the place in the file.
    public var key: String?
    /// The element of the tensor, or the sample of the batch.
    public var index: Int?
    /// What should be there.
    public var expected: String?
    /// What is there, or the system's reason.
    public var found: String?

    public init(
        _ code: Code, file: String? = nil, key: String? = nil, index: Int? = nil, expected: String? = nil,
        found: String? = nil
    ) {
        self.code = code
        self.file = file
        self.key = key
        self.index = index
        self.expected = expected
        self.found = found
    }

    /// Of a file or folder that could not be written.
    init(_ error: FileError) {
        self.init(.cannotWrite, file: error.path, found: error.reason)
    }

    /// The same error with the tensor, and the element of it, that an element of the flat vector is.
    public func located(in layout: ParameterLayout) -> TrainingError {
        guard key == nil, let index, let place = layout.place(of: index) else { return self }
        var error = self
        error.key = place.name
        error.index = place.index
        return error
    }
}
