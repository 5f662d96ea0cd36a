import Nodes
import Tensors

/// Softmax and LogSoftmax along `axis`. Before opset 13 the axes from `axis` on count as one.
public struct Softmax: Operator {
    public static let opTypes = ["Softmax", "LogSoftmax"]

    package let node: Node
    /// May count from the end.
    public let axis: Int
    /// Whether the output is the logarithm of the softmax.
    public let logarithmic: Bool
    /// Whether the sum goes over all axes from `axis` on.
    public let flattens: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        flattens = opsetVersion < 13
        logarithmic = node.opType == "LogSoftmax"
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: flattens ? 1 : -1)
        try attributes.finish()
        self.node = node
    }

    /// The axis counted from the front.
    /// - Parameter rank: of the input.
    public func resolvedAxis(rank: Int) -> Int { axis < 0 ? axis + rank : axis }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        _ = try node.resolveAxis(axis, rank: type.shape.rank)
        return [type]
    }
}
