import Support

/// A file or a record that does not say what it should. Data only: the command line turns it into a sentence.
public struct QuantizationError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Code: String, Sendable {
        /// Not JSON.
        case malformed
        /// The version of the format is not known.
        case unsupportedVersion
        case missingKey
        case unknownKey
        case invalidValue
        /// Well formed, but something that is not built, such as an encoding of a float type.
        case unsupportedEncoding
        /// More or fewer elements than the shape or the record says.
        case lengthMismatch
    }

    /// What is wrong.
    public var code: Code
    /// The file as the caller names it; nil for bytes that came from elsewhere.
    public var file: String?
    /// Where in the file: a path such as `activation_encodings.input[0].scale`.
    public var key: String?
    /// What the format or the shape wants.
    public var expected: String?
    /// What is there, in short.
    public var found: String?

    public init(
        _ code: Code, file: String? = nil, key: String? = nil, expected: String? = nil, found: String? = nil
    ) {
        self.code = code
        self.file = file
        self.key = key
        self.expected = expected
        self.found = found
    }

    /// Of an encodings file.
    init(_ error: JSONError) {
        let code: Code =
            switch error.code {
            case .malformed: .malformed
            case .unsupportedVersion: .unsupportedVersion
            case .missingKey: .missingKey
            case .unknownKey: .unknownKey
            case .invalidValue: .invalidValue
            case .unsupported: .unsupportedEncoding
            case .lengthMismatch: .lengthMismatch
            }
        self.init(code, file: error.file, key: error.path, expected: error.expected, found: error.found)
    }
}
