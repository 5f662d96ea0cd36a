/// A graph that cannot be compiled, or a computation that failed. Data only: the command line makes the sentence.
public struct ExecutionError: Error, Equatable, Sendable {
    public enum Code: String, Sendable {
        /// The operator is legal, but this form of it is not computed.
        case unsupportedForm
        /// oneDNN answered with an error status.
        case library
        /// The machine lacks the instruction set that the job is pinned to.
        case missingInstructionSet
        /// A fed array is absent, or of another type or shape than the plan was compiled for.
        case inputMismatch
    }

    public var code: Code
    public var operation: String?
    public var node: String?
    public var opType: String?
    public var tensor: String?
    public var expected: String?
    public var found: String?

    public init(
        _ code: Code, operation: String? = nil, node: String? = nil, opType: String? = nil, tensor: String? = nil,
        expected: String? = nil, found: String? = nil
    ) {
        self.code = code
        self.operation = operation
        self.node = node
        self.opType = opType
        self.tensor = tensor
        self.expected = expected
        self.found = found
    }
}
