import Nodes
import Tensors

/// MatMul: [batch..., rows, inner] times [batch..., inner, columns], as numpy.matmul: leading axes broadcast, a vector
/// is a row on the left and a column on the right.
public struct MatrixProduct: Operator {
    public static let opTypes = ["MatMul"]

    package let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        try AttributeReader(node).finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let a = try node.input(inputs, 0, rank: 1...Int.max)
        let b = try node.input(inputs, 1, rank: 1...Int.max)
        let left = a.type.shape.dimensions.count == 1 ? [1] + a.type.shape.dimensions : a.type.shape.dimensions
        let right = b.type.shape.dimensions.count == 1 ? b.type.shape.dimensions + [1] : b.type.shape.dimensions
        let batch = Shape.broadcast(Shape(left.dropLast(2)), Shape(right.dropLast(2)))
        guard let batch, left[left.count - 1] == right[right.count - 2] else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: b.name, expected: "a right factor for \(a.type.shape)",
                found: "\(b.type.shape)")
        }
        var extents = batch.dimensions
        if a.type.shape.rank > 1 { extents.append(left[left.count - 2]) }
        if b.type.shape.rank > 1 { extents.append(right[right.count - 1]) }
        return [ValueType(a.type.elementType, Shape(extents))]
    }
}

extension Shape {
    init(_ dimensions: ArraySlice<Int>) { self.init(Array(dimensions)) }
}
