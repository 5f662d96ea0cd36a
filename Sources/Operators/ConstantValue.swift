import Nodes
import Tensors

/// Constant: a value given by an attribute.
public struct ConstantValue: Operator {
    public static let opTypes = ["Constant"]

    /// The node's only output.
    public let value: Tensor

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 0...0)
        guard node.attributes.count == 1, let (name, attribute) = node.attributes.first else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "one attribute", found: "\(node.attributes.keys.sorted())")
        }
        switch (name, attribute) {
        case ("value", .tensor(let tensor)): value = tensor
        case ("value_float", .float(let number)): value = Tensor(scalar: number)
        case ("value_floats", .floats(let numbers)): value = Tensor(shape: [numbers.count], numbers)
        case ("value_int", .int(let number)): value = Tensor(scalar: Int64(number))
        case ("value_ints", .ints(let numbers)): value = Tensor(shape: [numbers.count], numbers.map { Int64($0) })
        default:
            throw GraphError(
                .invalidAttribute, at: node, expected: "value, value_float(s) or value_int(s)",
                found: "\(name): \(attribute.kind)")
        }
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [ValueType(value.elementType, value.shape)]
    }
}
