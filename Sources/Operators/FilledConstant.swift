import Nodes
import Tensors

/// ConstantOfShape: one value, in the shape that the input gives.
public struct FilledConstant: Operator {
    public static let opTypes = ["ConstantOfShape"]

    let node: Node
    /// One element; float32 zero where the file gives none.
    public let value: Tensor

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        value = try attributes.tensor("value") ?? Tensor(scalar: Float(0))
        try attributes.finish()
        guard value.count == 1 else {
            throw GraphError(.invalidAttribute, at: node, expected: "value of one element", found: "\(value.shape)")
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let extents = try node.constantInts(inputs, 0) ?? []
        guard extents.allSatisfy({ $0 >= 0 }) else {
            throw GraphError(
                .invalidInput, at: node, tensor: inputs[0]?.name, expected: "extents of at least 0",
                found: "\(extents)")
        }
        return [ValueType(value.elementType, Shape(extents))]
    }
}
