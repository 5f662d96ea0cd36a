/// Which tensors of a model are quantized and how: the six sections of AIMET's config file, in its own names. A setting
/// that is nil is absent from the file and leaves what earlier sections said.
public struct SimulationConfig: Equatable, Sendable {
    public var defaults: Defaults
    /// By kind of parameter: `weight`, `bias`, ...
    public var parameters: [String: ParameterRule]
    /// By ONNX op type.
    public var opTypes: [String: OpTypeRule]
    /// Chains of op types that run as one on the target: only the last one's output is quantized.
    public var supergroups: [[String]]
    /// Names of built-in patterns that run as one on the target (`supergroup_pass_list`).
    public var supergroupPasses: [String]
    public var isModelInputQuantized: Bool?
    public var isModelOutputQuantized: Bool?

    public struct Defaults: Equatable, Sendable {
        public var isOutputQuantized: Bool?
        /// Of activations.
        public var isSymmetric: Bool?
        public var parameters = ParameterRule()
        public var strictSymmetric: Bool?
        public var unsignedSymmetric: Bool?
        public var perChannelQuantization: Bool?
        public var supportedKernels: [SupportedKernel] = []
        public var hardwareVersion: String?

        public init() {}
    }

    public struct ParameterRule: Equatable, Sendable {
        public var isQuantized: Bool?
        public var isSymmetric: Bool?

        public init(isQuantized: Bool? = nil, isSymmetric: Bool? = nil) {
            self.isQuantized = isQuantized
            self.isSymmetric = isSymmetric
        }
    }

    public struct OpTypeRule: Equatable, Sendable {
        public var isInputQuantized: Bool?
        public var isOutputQuantized: Bool?
        /// Of the op's input and output tensors.
        public var isSymmetric: Bool?
        public var parameters: [String: ParameterRule] = [:]
        public var supportedKernels: [SupportedKernel] = []
        public var perChannelQuantization: Bool?
        public var constraints: EncodingConstraints?

        public init() {}
    }

    /// Precisions that the target has for an op: candidates for mixed precision, otherwise without effect.
    public struct SupportedKernel: Equatable, Sendable {
        public struct Precision: Equatable, Sendable {
            /// 4, 8, 16 or 32.
            public var bitwidth: Int
            public var isFloat: Bool
        }
        public var activation: Precision
        public var parameter: Precision?
    }

    public init() {
        defaults = Defaults()
        parameters = [:]
        opTypes = [:]
        supergroups = []
        supergroupPasses = []
    }
}

/// Ends of an op's output range that are known beforehand and override what was observed.
public struct EncodingConstraints: Hashable, Sendable {
    public var min: Double
    /// Nil leaves the greatest value to observation.
    public var max: Double?

    public init(min: Double, max: Double? = nil) {
        self.min = min
        self.max = max
    }
}

/// Written as a list of the ends.
extension EncodingConstraints: Codable {
    public init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        min = try container.decode(Double.self)
        max = try container.decodeIfPresent(Double.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(min)
        if let max { try container.encode(max) }
    }
}
