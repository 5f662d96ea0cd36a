import Nodes
import Tensors

/// LRN across channels: input / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta.
public struct LocalResponseNormalization: Operator {
    public static let opTypes = ["LRN"]

    let node: Node
    /// How many channels are summed, the channel itself in the middle.
    public let size: Int
    /// Factor of the sum of squares, times `size`.
    public let alpha: Float
    /// The exponent.
    public let beta: Float
    /// Added to the scaled sum of squares.
    public let bias: Float

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        let size = try attributes.int("size")
        alpha = try attributes.float("alpha", default: 1e-4)
        beta = try attributes.float("beta", default: 0.75)
        bias = try attributes.float("bias", default: 1)
        try attributes.finish()
        guard let size, size > 0, size <= Window.limit else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "size at least 1", found: size.map { "\($0)" } ?? "none")
        }
        self.size = size
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [try node.input(inputs, 0, rank: 2...Int.max).type]
    }
}
