/// Why bytes are not a message of ours. It is data for a log line, never a reason to stop.
public struct WireError: Error, Equatable, Sendable {
    /// What is wrong with the message.
    public enum Code: String, Sendable {
        /// Shorter than a header, or than its header says.
        case truncated
        /// Does not begin with our magic number: not of this program at all.
        case notOurs
        /// A part's checksum differs.
        case checksum
        /// A sound header of another protocol version.
        case protocolVersion
        /// More or longer frames than any message has, or a bulk frame where none belongs.
        case frames
        /// A sound body that is not a message, or one with a field out of its range.
        case malformed
    }

    /// What is wrong.
    public var code: Code
    /// What the protocol wants.
    public var expected: String?
    /// What arrived.
    public var found: String?

    public init(_ code: Code, expected: String? = nil, found: String? = nil) {
        self.code = code
        self.expected = expected
        self.found = found
    }
}
