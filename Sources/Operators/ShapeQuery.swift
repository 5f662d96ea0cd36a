import Nodes
import Tensors

/// Shape and Size: known as soon as the shapes are.
public struct ShapeQuery: Operator {
    public static let opTypes = ["Shape", "Size"]

    package let node: Node
    /// The first axis that Shape gives, and the one after the last; both may count from the end and are clamped.
    private let start: Int
    private let end: Int

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        let ranged = node.opType == "Shape" && opsetVersion >= 15
        start = ranged ? try attributes.int("start", default: 0) : 0
        end = ranged ? try attributes.int("end", default: Int.max) : Int.max
        try attributes.finish()
        self.node = node
    }

    /// The value, which depends on the input's shape alone.
    public func value(of shape: Shape) -> Tensor {
        guard node.opType == "Shape" else { return Tensor(scalar: Int64(shape.count)) }
        func clamped(_ axis: Int) -> Int { min(max(axis < 0 ? axis + shape.rank : axis, 0), shape.rank) }
        let (first, last) = (clamped(start), clamped(end))
        let extents = shape.dimensions[first..<max(first, last)].map { Int64($0) }
        return Tensor(shape: [extents.count], extents)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let value = value(of: try node.input(inputs, 0).type.shape)
        return [ValueType(.int64, value.shape)]
    }
}
