import Tensors

/// A function of the elements of two tensors that broadcast to one shape. PRelu's slope (input 1) broadcasts to input 0.
public struct ElementwiseBinary: Operator {
    /// What is computed of two elements.
    public enum Function: Sendable, Equatable { case add, sub, mul, div, pow, prelu }

    public static let opTypes = ["Add", "Sub", "Mul", "Div", "Pow", "PRelu"]

    let node: Node
    /// What is computed of each pair of elements.
    public let function: Function

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        try AttributeReader(node).finish()
        function =
            switch node.opType {
            case "Add": .add
            case "Sub": .sub
            case "Mul": .mul
            case "Div": .div
            case "Pow": .pow
            case "PRelu": .prelu
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
