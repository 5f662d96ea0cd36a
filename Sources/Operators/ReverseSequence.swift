import Nodes
import Tensors

/// ReverseSequence: of each sequence of a batch, as many elements along the time axis run backwards as it has.
public struct ReverseSequence: Operator {
    public static let opTypes = ["ReverseSequence"]

    package let node: Node
    package let batchAxis: Int
    package let timeAxis: Int

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        batchAxis = try attributes.int("batch_axis", default: 1)
        timeAxis = try attributes.int("time_axis", default: 0)
        try attributes.finish()
        guard Set([batchAxis, timeAxis]) == [0, 1] else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "a batch axis and a time axis of 0 and 1",
                found: "\(batchAxis), \(timeAxis)")
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 2...Int.max).type
        let lengths = try node.input(inputs, 1).type.shape
        guard lengths == [type.shape[batchAxis]] else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: inputs[1]?.name, expected: "[\(type.shape[batchAxis])]",
                found: "\(lengths)")
        }
        return [type]
    }
}
