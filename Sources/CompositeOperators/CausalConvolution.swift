import Nodes
import Tensors

/// CausalConvWithState: each channel convolved with its own kernel, over what came before.
///
/// Inputs: [batch, channels, length], weight [channels, 1, window], optional bias [channels] and state [batch, channels, window - 1],
/// the positions before the first. Outputs: as the input, and the state behind the last.
public struct CausalConvolution: Operator {
    public static let opTypes = ["CausalConvWithState"]

    package let node: Node
    /// Whether the output is x * sigmoid(x) of the convolution.
    package let isActivated: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...4, outputs: 2)
        var attributes = AttributeReader(node)
        let activation = try attributes.string("activation") ?? "none"
        try attributes.finish()
        guard ["none", "silu", "swish"].contains(activation) else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "activation none, silu or swish", found: activation)
        }
        isActivated = activation != "none"
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let type = try node.input(inputs, 0, rank: 3...3).type
        let weight = try node.input(inputs, 1, rank: 3...3)
        let (channels, window) = (type.shape[1], weight.type.shape[2])
        guard weight.type.shape == [channels, 1, window], window > 0 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: weight.name, expected: "[\(channels), 1, window]",
                found: "\(weight.type.shape)")
        }
        try node.checkPerChannel(inputs, 2, channels: channels)
        let state = Shape([type.shape[0], channels, window - 1])
        if let past = node.optional(inputs, 3), past.type.shape != state {
            throw GraphError(
                .shapeMismatch, at: node, tensor: past.name, expected: "\(state)", found: "\(past.type.shape)")
        }
        return [type, ValueType(type.elementType, state)]
    }
}
