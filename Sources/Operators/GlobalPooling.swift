import Nodes
import Tensors

/// GlobalMaxPool and GlobalAveragePool: input [batch, channels, spatial...], output [batch, channels, 1...].
public struct GlobalPooling: Operator {
    public static let opTypes = ["GlobalMaxPool", "GlobalAveragePool"]

    let node: Node
    /// What is left of a channel's elements.
    public let kind: Pooling.Kind

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        try AttributeReader(node).finish()
        kind = node.opType == "GlobalMaxPool" ? .max : .average
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 3...Int.max).type
        let ones = [Int](repeating: 1, count: type.shape.rank - 2)
        return [ValueType(type.elementType, Shape([type.shape[0], type.shape[1]] + ones))]
    }
}
