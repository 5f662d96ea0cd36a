import Nodes
import Tensors

/// InstanceNormalization and GroupNormalization: (x - mean) / sqrt(variance + epsilon) * scale + bias, with the statistics of each
/// sample's channel, or group of channels.
public struct GroupedNormalization: Operator {
    public static let opTypes = ["InstanceNormalization", "GroupNormalization"]

    let node: Node
    /// Added to the variance.
    public let epsilon: Float
    /// Nil where each channel is one.
    private let groupCount: Int?
    /// Whether scale and bias are of groups, as before opset 21; else of channels.
    package let isPerGroup: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...3)
        var attributes = AttributeReader(node)
        epsilon = try attributes.float("epsilon", default: 1e-5)
        let isGrouped = node.opType == "GroupNormalization"
        groupCount = isGrouped ? try attributes.int("num_groups", default: 0) : nil
        isPerGroup = isGrouped && opsetVersion < 21
        attributes.ignore("stash_type")
        try attributes.finish()
        self.node = node
    }

    /// Groups of so many channels.
    package func groups(channels: Int) -> Int { groupCount ?? channels }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let input = try node.input(inputs, 0, rank: 3...Int.max)
        let channels = input.type.shape[1]
        let groups = groups(channels: channels)
        guard groups > 0, channels % groups == 0 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "channels in \(groups) equal groups",
                found: "\(input.type.shape)")
        }
        for index in 1...2 { try node.checkPerChannel(inputs, index, channels: isPerGroup ? groups : channels) }
        return [input.type]
    }
}
