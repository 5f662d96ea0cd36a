import Quantization

/// What a rule of the config, or of the target, did to the quantizer of one tensor.
public struct PlacementStep: Equatable, Sendable {
    /// What a rule can change of a quantizer.
    public enum Change: Equatable, Sendable {
        case enabled(Bool)
        case symmetric(Bool)
        case bitwidth(Int)
        case constraints(EncodingConstraints?)
        /// One encoding per index of this axis; nil for one encoding.
        case channelAxis(Int?)
        /// The quantizer is the one of this tensor from here on.
        case shared(with: String)
        case strictSymmetric(Bool)
        case unsignedSymmetric(Bool)
        case scheme(Scheme)
        case dataType(DataType)
        /// Nil for channels that are not cut into blocks.
        case blocks(Blocks?)
        /// The encodings of a file, which training does not move where they are frozen.
        case given(TensorEncodings, frozen: Bool)
    }

    /// What became of the quantizer.
    public var change: Change
    /// Where the config says so, as a JSON path such as `op_type.Relu.encoding_constraints`; or where the job does, such as
    /// `overrides[0]`; or the name of a rule that is in neither: see `BuiltInRule`.
    public var rule: String
    /// Name of the node for whose sake.
    public var node: String?
}

/// Rules that stand in no config.
enum BuiltInRule {
    /// The output of an op that preserves its input's grid needs no quantizer.
    static let gridPreservingOp = "grid-preserving op"
    /// Inputs of Concat and the like are on the grid of the output.
    static let tiedToOutput = "inputs tied to output"
    /// The output of Relu and the like is on the grid of the input.
    static let tiedToInput = "output tied to input"
    /// What goes into a recurrent cell, and the states before and after, are on the grid of its output.
    static let tiedStates = "states of a recurrent cell"
    /// Numbers that put places out of reach of a Softmax.
    static let mask = "mask of a Softmax"
    /// No grid of integers has infinities.
    static let infiniteConstant = "constant with infinities"
    /// A weight that is computed has the symmetry of one that is constant.
    static let dynamicWeight = "computed weight"
    /// Precisions that the target has for the parameters of normalizations.
    static let normalizationParameter = "normalization parameter"
    /// Precisions that the target has for products of two activations.
    static let dynamicProduct = "product of activations"
    /// What the user asked for.
    static let requestedBitwidth = "requested bit width"
}

extension PlacementStep {
    /// The rule of an entry of the job's overrides.
    static func overrideRule(_ index: Int) -> String { "overrides[\(index)]" }

    /// Whether the user has asked for it in the job's overrides.
    var isOverride: Bool { rule.hasPrefix("overrides[") }
}
