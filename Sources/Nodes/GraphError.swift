/// A graph that is not legal, or an operator that does not fit its inputs. Data only: the command line turns it into a
/// sentence.
public struct GraphError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Code: String, Sendable {
        case undefinedValue, duplicateValue, cycle, missingOutput
        case unsupportedOperators, unsupportedOpset, unsupportedElementType
        case invalidAttribute, invalidInput, shapeMismatch, inputShapeMismatch
        /// An input that says extents, places or bounds, and is not known before the samples.
        case unknownParameter
        /// A constant that no result can be trusted with.
        case unsoundConstant
        /// Values computed from finite samples that are not finite.
        case notFinite
        /// A function of the model that calls itself, or that is made of too much.
        case recursiveFunction, functionsTooLarge
        /// A node whose result for one sample depends on other samples.
        case mixesSamples
    }

    /// What is wrong.
    public var code: Code
    /// Node name and op type, where one node is concerned.
    public var node: String?
    /// ONNX operator type of the node.
    public var opType: String?
    /// The tensor concerned.
    public var tensor: String?
    /// What would have been legal, in words.
    public var expected: String?
    /// What stands there instead.
    public var found: String?

    /// An error with the operands that are known.
    public init(
        _ code: Code, node: String? = nil, opType: String? = nil, tensor: String? = nil, expected: String? = nil,
        found: String? = nil
    ) {
        self.code = code
        self.node = node
        self.opType = opType
        self.tensor = tensor
        self.expected = expected
        self.found = found
    }

    /// An error about a node.
    public init(
        _ code: Code, at node: Node, tensor: String? = nil, expected: String? = nil, found: String? = nil
    ) {
        self.init(code, node: node.name, opType: node.opType, tensor: tensor, expected: expected, found: found)
    }
}
