/// A file or a record that does not say what it should. Data only: the command line turns it into a sentence.
public struct QuantizationError: Error, Equatable, Sendable {
    public enum Code: String, Sendable {
        /// Not JSON, or not the binary form.
        case malformed
        /// The version of the format is not known.
        case unsupportedVersion
        case missingKey
        case unknownKey
        case invalidValue
        /// Well formed, but something that is not built: a float or block-wise encoding.
        case unsupportedEncoding
        /// More or fewer elements than the shape or the record says.
        case lengthMismatch
    }

    public var code: Code
    /// The file as the caller names it; nil for bytes that came from elsewhere.
    public var file: String?
    /// Where in the file: a path such as `activation_encodings.input[0].scale`.
    public var key: String?
    public var expected: String?
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
}
