import Quantization

/// A tensor that is rounded to the grid of an encoding.
public struct Quantizer: Equatable, Sendable {
    public enum Role: String, Sendable {
        /// A tensor that changes with the sample, or a constant that is the operand of an elementwise op.
        case activation
        /// A weight, bias or the like of a layer.
        case parameter
    }

    /// The ONNX tensor name.
    public var tensor: String
    public var role: Role
    public var settings: QuantizerSettings
    /// One encoding per index of this axis; nil for one encoding. Not negative.
    public var channelAxis: Int?
    /// How each channel is cut into blocks with encodings of their own; nil where it is not.
    public var blocks: Blocks?
    public var enabled: Bool
    /// The tensor's value is known without samples: its statistics are those of the constant.
    public var isConstant: Bool
    /// Ends of the range that override what was observed.
    public var constraints: EncodingConstraints?
    /// The tensor whose quantizer this is too: what is observed of all tensors that share it gives one encoding. The
    /// tensor itself where it shares with none or lends its quantizer to others.
    public var group: String

    /// Runs of neighbouring elements along an axis of the parameter.
    public struct Blocks: Equatable, Hashable, Sendable, Codable {
        /// That of the input channels, which products are summed over. Not negative.
        public var axis: Int
        /// Elements; divides the extent of the axis.
        public var size: Int

        public init(axis: Int, size: Int) {
            self.axis = axis
            self.size = size
        }
    }

    public init(
        tensor: String, role: Role, settings: QuantizerSettings, channelAxis: Int?, blocks: Blocks? = nil,
        enabled: Bool, isConstant: Bool, constraints: EncodingConstraints?, group: String
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
    }
}

extension Quantizer {
    /// One that is not enabled yet.
    init(activation tensor: String, settings: QuantizerSettings, isConstant: Bool) {
        self.init(
            tensor: tensor, role: .activation, settings: settings, channelAxis: nil, enabled: false,
            isConstant: isConstant, constraints: nil, group: tensor)
    }
}
