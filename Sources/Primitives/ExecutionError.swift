/// A graph that cannot be compiled, or a computation that failed. Data only: the command line makes the sentence.
public struct ExecutionError: Error, Equatable, Sendable {
    /// What went wrong.
    public enum Code: String, Sendable {
        /// The operator is legal, but this form of it is not computed.
        case unsupportedForm
        /// oneDNN answered with an error status.
        case library
        /// The machine lacks the instruction set that the job is pinned to.
        case missingInstructionSet
        /// A fed array is absent, or of another type or shape than the plan was compiled for.
        case inputMismatch
        /// A plan would take more memory than it may.
        case tooLarge
    }

    /// What went wrong.
    public var code: Code
    /// What was being done, where no node names it.
    public var operation: String?
    /// Name of the node, where one is concerned.
    public var node: String?
    /// ONNX operator type of the node.
    public var opType: String?
    /// The value concerned.
    public var tensor: String?
    /// What would have been computed, in words.
    public var expected: String?
    /// What stands there instead, or what oneDNN answered.
    public var found: String?

    /// An error with the operands that are known.
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
