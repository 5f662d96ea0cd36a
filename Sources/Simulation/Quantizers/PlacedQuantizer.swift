import Quantization

/// Where a placement puts a quantizer, and how that is set up: a tensor that is rounded to the grid of an encoding. What rounds
/// is a `FakeQuantizer`.
public struct PlacedQuantizer: Equatable, Sendable {
    /// What a tensor that is quantized is to its graph.
    public enum Role: String, Sendable, Codable {
        /// A tensor that changes with the sample, or a constant that is the operand of an elementwise op.
        case activation
        /// A weight, bias or the like of a layer.
        case parameter
    }

    /// The ONNX tensor name.
    public var tensor: String
    /// What the tensor is to the graph.
    public var role: Role
    /// What its encodings are computed by.
    public var settings: QuantizerSettings
    /// One encoding per index of this axis; nil for one encoding. Not negative.
    public var channelAxis: Int?
    /// How each channel is cut into blocks with encodings of their own; nil where it is not. Their axis is known.
    public var blocks: Blocks?
    /// Whether the tensor is rounded at all.
    public var enabled: Bool
    /// The tensor's value is known without samples: its statistics are those of the constant.
    public var isConstant: Bool
    /// Ends of the range that override what was observed.
    public var constraints: EncodingConstraints?
    /// The tensor whose quantizer this is too: what is observed of all tensors that share it gives one encoding. The
    /// tensor itself where it shares with none or lends its quantizer to others.
    public var group: String
    /// In place of encodings that are computed.
    public var given: GivenEncodings?

    public init(
        tensor: String, role: Role, settings: QuantizerSettings, channelAxis: Int?, blocks: Blocks? = nil,
        enabled: Bool, isConstant: Bool, constraints: EncodingConstraints?, group: String,
        given: GivenEncodings? = nil
    ) {
        self.tensor = tensor
        self.role = role
        self.settings = settings
        self.channelAxis = channelAxis
        self.blocks = blocks
        self.enabled = enabled
        self.isConstant = isConstant
        self.constraints = constraints
        self.group = group
        self.given = given
    }

    /// Encodings from a file.
    public struct GivenEncodings: Equatable, Sendable {
        /// Of the tensor, with axes that are known.
        public var encodings: TensorEncodings
        /// Training does not move them.
        public var isFrozen: Bool

        public init(_ encodings: TensorEncodings, isFrozen: Bool) {
            self.encodings = encodings
            self.isFrozen = isFrozen
        }
    }

    /// Whether its encoding depends on samples.
    var needsSamples: Bool { !isConstant && given == nil && settings.dataType == .int }

    /// Whether training leaves the range alone: one that the target prescribes, or the user. Half precision has none.
    public var isFixed: Bool { constraints != nil || given?.isFrozen == true || settings.dataType != .int }
}

extension PlacedQuantizer {
    /// One that is not enabled yet.
    init(activation tensor: String, settings: QuantizerSettings, isConstant: Bool) {
        self.init(
            tensor: tensor, role: .activation, settings: settings, channelAxis: nil, enabled: false,
            isConstant: isConstant, constraints: nil, group: tensor)
    }

    mutating func apply(_ change: PlacementStep.Change) {
        switch change {
        case .enabled(let enabled): self.enabled = enabled
        case .symmetric(let symmetric): settings.symmetric = symmetric
        case .bitwidth(let bitwidth): (settings.dataType, settings.bitwidth) = (.int, bitwidth)
        case .constraints(let constraints): self.constraints = constraints
        case .channelAxis(let axis): channelAxis = axis
        case .shared(let owner): group = owner
        case .strictSymmetric(let strict): settings.strictSymmetric = strict
        case .unsignedSymmetric(let unsigned): settings.unsignedSymmetric = unsigned
        case .scheme(let scheme): settings.scheme = scheme
        case .dataType(let dataType): settings.dataType = dataType
        case .blocks(let blocks): self.blocks = blocks
        case .given(let encodings, let frozen):
            given = GivenEncodings(encodings, isFrozen: frozen)
            channelAxis = encodings.axis
            blocks = encodings.blocks.flatMap { $0.axis == nil ? nil : $0 }
            settings.dataType = encodings.dataType
            guard let first = encodings.encodings.first else { return }
            settings.bitwidth = first.bitwidth
            settings.symmetric = first.symmetric
            settings.strictSymmetric = first.symmetric && first.steps < (1 << first.bitwidth) - 1
            settings.unsignedSymmetric = first.symmetric && encodings.encodings.contains { $0.offset == 0 }
        }
    }
}
