/// What is wrong with a model file. Data only: the command line turns it into a sentence.
public struct ONNXError: Error, Equatable, Sendable {
    /// What is wrong with the file.
    public enum Code: String, Sendable {
        /// The file cannot be opened or read.
        case unreadable
        /// The bytes end in the middle of the model.
        case truncated
        /// The bytes are no ONNX model.
        case notONNX
        /// An external data file is missing, too short, or outside the model's folder.
        case missingExternalFile, externalFileTooShort, externalPathOutside
        /// A tensor's fields contradict each other.
        case invalidTensor
        case unsupportedElementType
        /// The file cannot be written.
        case notWritten
    }

    /// What is wrong.
    public var code: Code
    /// The file concerned: the model, or one of its external data files.
    public var file: String
    /// The tensor concerned.
    public var tensor: String?
    /// What the format wants.
    public var expected: String?
    /// What is there, or the system's reason.
    public var found: String?

    public init(_ code: Code, file: String, tensor: String? = nil, expected: String? = nil, found: String? = nil) {
        self.code = code
        self.file = file
        self.tensor = tensor
        self.expected = expected
        self.found = found
    }
}
