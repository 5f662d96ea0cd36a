import Nodes
import Tensors

/// BatchNormalization at inference: (input - mean) / sqrt(variance + epsilon) * scale + bias, each [channels], over
/// axis 1 of the input.
public struct BatchNormalization: Operator {
    public static let opTypes = ["BatchNormalization"]

    let node: Node
    /// Added to the variance.
    public let epsilon: Float

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 5...5)
        var attributes = AttributeReader(node)
        epsilon = try attributes.float("epsilon", default: 1e-5)
        attributes.ignore("momentum")
        if opsetVersion >= 14, try attributes.flag("training_mode") {
            throw GraphError(.invalidAttribute, at: node, expected: "training_mode 0", found: "1")
        }
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        // A vector [batch] counts as one channel, as the specification says.
        let type = try node.input(inputs, 0, rank: 1...Int.max).type
        for index in 1...4 {
            try node.checkPerChannel(inputs, index, channels: type.shape.rank > 1 ? type.shape[1] : 1)
        }
        return [type]
    }
}
