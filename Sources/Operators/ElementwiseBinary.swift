import Nodes
import Tensors

/// A function of the elements of two tensors that broadcast to one shape. PRelu's slope (input 1) broadcasts to input 0.
public struct ElementwiseBinary: Operator {
    /// What is computed of two elements.
    public enum Function: Sendable, Equatable {
        case add, sub, mul, div, pow, prelu
        /// The remainder, of a quotient that is cut towards zero, else rounded down.
        case mod(truncates: Bool)
    }

    public static let opTypes = ["Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Mod"]

    let node: Node
    /// What is computed of each pair of elements.
    public let function: Function

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        let truncates = node.opType == "Mod" ? try attributes.flag("fmod") : false
        try attributes.finish()
        function =
            switch node.opType {
            case "Add": .add
            case "Sub": .sub
            case "Mul": .mul
            case "Div": .div
            case "Pow": .pow
            case "PRelu": .prelu
            case "Mod": .mod(truncates: truncates)
            default: throw GraphError(.unsupportedOperators, at: node, found: node.opType)
            }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let left = try node.input(inputs, 0)
        let right = try node.input(inputs, 1)
        // The exponent of Pow may be of another type than the base, which decides.
        guard function != .pow else {
            guard let shape = Shape.broadcast(left.type.shape, right.type.shape) else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: right.name,
                    expected: "a shape that broadcasts with \(left.type.shape)", found: "\(right.type.shape)")
            }
            return [ValueType(left.type.elementType, shape)]
        }
        let type = try node.broadcastType(inputs)
        guard function != .prelu || type.shape == left.type.shape else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: right.name, expected: "a shape that broadcasts to \(left.type.shape)",
                found: "\(right.type.shape)")
        }
        return [type]
    }
}
