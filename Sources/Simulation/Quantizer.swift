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
    public var enabled: Bool
    /// The tensor's value is known without samples: its statistics are those of the constant.
    public var isConstant: Bool
    /// Ends of the range that override what was observed.
    public var constraints: EncodingConstraints?
    /// The tensor whose quantizer this is too: what is observed of all tensors that share it gives one encoding. The
    /// tensor itself where it shares with none or lends its quantizer to others.
    public var group: String
}

extension Quantizer {
    /// One that is not enabled yet.
    init(activation tensor: String, settings: QuantizerSettings, isConstant: Bool) {
        self.init(
            tensor: tensor, role: .activation, settings: settings, channelAxis: nil, enabled: false,
            isConstant: isConstant, constraints: nil, group: tensor)
    }
}
