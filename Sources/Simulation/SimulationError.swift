import Support

/// A config file that is not valid, or rules that contradict each other on a graph. Data only: the command line turns it
/// into a sentence.
public struct SimulationError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Code: String, Sendable {
        /// No built-in config has this name.
        case unknownConfig
        /// Not JSON.
        case malformed
        case missingKey
        case unknownKey
        case invalidValue
        /// Valid, but the reference refuses it too: inputs of all ops quantized, or outputs switched off by default.
        case unsupportedSetting
        /// Two ops set one tensor's quantizer to different values in one section.
        case conflictingSettings
        /// One constant is a parameter of different kinds, or along different channel axes.
        case conflictingParameter
        /// No tensor of this name has a quantizer.
        case unknownTensor
        /// A name, or a setting, that finds nothing to apply to.
        case nothingSelected
        /// Tensors that share a quantizer have different encodings in one file.
        case conflictingEncodings
        /// No ONNX integer type holds a grid of so many bits.
        case unsupportedBitwidth
        /// A graph output that is an input unchanged cannot be the input's quantized values.
        case quantizedInputIsOutput
    }

    /// What is wrong.
    public var code: Code
    /// The config file, or the name of the built-in config.
    public var file: String?
    /// Where in the file, as a JSON path such as `op_type.Relu.encoding_constraints.min`; or where in the quantization section
    /// of the job, such as `overrides[0].tensors`.
    public var path: String?
    /// The tensor and the node concerned.
    public var tensor: String?
    /// The node concerned.
    public var node: String?
    /// What the grammar, or another rule, wants.
    public var expected: String?
    /// What is there, in short.
    public var found: String?
    /// What could have been meant by what was found.
    public var candidates: [String] = []

    public init(
        _ code: Code, file: String? = nil, path: String? = nil, tensor: String? = nil, node: String? = nil,
        expected: String? = nil, found: String? = nil, candidates: [String] = []
    ) {
        self.code = code
        self.file = file
        self.path = path
        self.tensor = tensor
        self.node = node
        self.expected = expected
        self.found = found
        self.candidates = candidates
    }

    /// Of a config file.
    init(_ error: JSONError) {
        let code: Code =
            switch error.code {
            case .malformed: .malformed
            case .missingKey: .missingKey
            case .unknownKey: .unknownKey
            // Configs have neither versions nor lists that must be as long as others.
            case .invalidValue, .unsupportedVersion, .lengthMismatch: .invalidValue
            case .unsupported: .unsupportedSetting
            }
        self.init(code, file: error.file, path: error.path, expected: error.expected, found: error.found)
    }
}
