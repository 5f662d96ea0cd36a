import Nodes
import Tensors

/// Trilu: matrices with zeros below or above a diagonal.
public struct Triangle: Operator {
    public static let opTypes = ["Trilu"]

    package let node: Node
    package let isUpper: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...2)
        var attributes = AttributeReader(node)
        isUpper = try attributes.flag("upper", default: true)
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [try node.input(inputs, 0, rank: 2...Int.max).type]
    }
}
