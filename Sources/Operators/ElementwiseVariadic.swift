import Nodes
import Tensors

/// A function of the elements of one or more tensors that broadcast to one shape.
public struct ElementwiseVariadic: Operator {
    /// What is computed of one element of each input.
    public enum Function: Sendable, Equatable { case sum, max, min, mean }

    public static let opTypes = ["Sum", "Max", "Min", "Mean"]

    let node: Node
    /// What is computed of the elements at each place.
    public let function: Function

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...Int.max)
        try AttributeReader(node).finish()
        function =
            switch node.opType {
            case "Sum": .sum
            case "Max": .max
            case "Min": .min
            case "Mean": .mean
            default: throw GraphError(.unsupportedOperators, at: node, found: node.opType)
            }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [try node.broadcastType(inputs)]
    }
}
