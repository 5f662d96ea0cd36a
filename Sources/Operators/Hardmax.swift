import Nodes
import Tensors

/// Hardmax: one at the first of the greatest elements along an axis, else zero.
public struct Hardmax: Operator {
    public static let opTypes = ["Hardmax"]

    package let node: Node
    package let axis: Int
    /// Before opset 13 all axes from the one named on are one.
    package let flattens: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        flattens = opsetVersion < 13
        axis = try attributes.int("axis", default: flattens ? 1 : -1)
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 1...Int.max).type
        _ = try node.resolveAxis(axis, rank: type.shape.rank)
        return [type]
    }
}
