import Foundation

/// The encodings of a model as the file that AIMET's tools exchange, versions 0.6.1, 1.0.0 and 2.0.0.
///
/// All versions carry the grid of every tensor; only 0.6.1 carries min and max, which otherwise follow from the grid.
/// Only 2.0.0 carries along which axis the channels of a tensor lie, which otherwise follows from the op that takes it; but
/// it does not say which tensors are parameters.
public struct EncodingsFile: Equatable, Sendable {
    // swift-format-ignore: AlwaysUseLowerCamelCase
    public enum Version: String, CaseIterable, Sendable, Encodable {
        case v0_6_1 = "0.6.1"
        case v1_0_0 = "1.0.0"
        case v2_0_0 = "2.0.0"
    }

    public struct Producer: Equatable, Sendable {
        public var package: String
        public var version: String

        public init(package: String, version: String) {
            self.package = package
            self.version = version
        }

        public static let quantsim = Producer(package: "quantsim", version: "0.1.0")
    }

    /// What the simulation was asked for (`quantizer_args`).
    public struct QuantizerArguments: Equatable, Sendable {
        public var activationBitwidth: Int
        public var parameterBitwidth: Int
        /// Whether parameters are symmetric unless a rule says otherwise.
        public var isSymmetric: Bool
        public var perChannelQuantization: Bool
        /// Of the activations, as AIMET names it: `min_max`, `post_training_tf_enhanced`.
        public var scheme: String

        public init(
            activationBitwidth: Int, parameterBitwidth: Int, isSymmetric: Bool, perChannelQuantization: Bool,
            scheme: String
        ) {
            self.activationBitwidth = activationBitwidth
            self.parameterBitwidth = parameterBitwidth
            self.isSymmetric = isSymmetric
            self.perChannelQuantization = perChannelQuantization
            self.scheme = scheme
        }
    }

    /// By ONNX tensor name.
    public var activations: [String: TensorEncodings]
    /// By initializer name.
    public var parameters: [String: TensorEncodings]
    /// What a file of version 2.0.0 holds, by tensor name, before a graph has told what is a parameter. Axes are as in the
    /// file: negative ones count from the end.
    public var tensors: [String: TensorEncodings]
    /// Not in version 2.0.0.
    public var quantizerArguments: QuantizerArguments?
    public var producer: Producer

    public init(
        activations: [String: TensorEncodings], parameters: [String: TensorEncodings],
        tensors: [String: TensorEncodings] = [:], quantizerArguments: QuantizerArguments? = nil,
        producer: Producer = .quantsim
    ) {
        self.activations = activations
        self.parameters = parameters
        self.tensors = tensors
        self.quantizerArguments = quantizerArguments
        self.producer = producer
    }
}

extension Scheme {
    /// The scheme's name in the `quantizer_args` of an encodings file.
    public var nameInEncodingsFile: String {
        switch self {
        case .tf: "min_max"
        case .tfEnhanced: "post_training_tf_enhanced"
        case .percentile: "post_training_percentile"
        // AIMET has no names for these.
        case .mse: "mse"
        case .entropy: "entropy"
        }
    }
}
