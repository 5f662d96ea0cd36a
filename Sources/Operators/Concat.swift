import Nodes
import Tensors

/// Concat: inputs joined along `axis`; all other extents are the same.
public struct Concat: Operator {
    public static let opTypes = ["Concat"]

    let node: Node
    /// May count from the end.
    public let axis: Int

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...Int.max)
        var attributes = AttributeReader(node)
        let axis = try attributes.int("axis")
        try attributes.finish()
        guard let axis else { throw GraphError(.invalidAttribute, at: node, expected: "axis", found: "none") }
        self.axis = axis
        self.node = node
    }

    /// The axis counted from the front.
    /// - Parameter rank: of the input.
    public func resolvedAxis(rank: Int) -> Int { axis < 0 ? axis + rank : axis }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let first = try node.input(inputs, 0).type
        let axis = try node.resolveAxis(axis, rank: first.shape.rank)
        var extents = first.shape.dimensions
        for index in inputs.indices.dropFirst() {
            let next = try node.input(inputs, index)
            guard next.type.elementType == first.elementType else {
                throw GraphError(
                    .unsupportedElementType, at: node, tensor: next.name, expected: first.elementType.rawValue,
                    found: next.type.elementType.rawValue)
            }
            var other = next.type.shape.dimensions
            guard other.count == extents.count else { throw mismatch(next, first.shape, axis) }
            extents[axis] += other[axis]
            other[axis] = first.shape[axis]
            guard other == first.shape.dimensions else { throw mismatch(next, first.shape, axis) }
        }
        return [ValueType(first.elementType, Shape(extents))]
    }

    private func mismatch(_ input: OperatorInput, _ shape: Shape, _ axis: Int) -> GraphError {
        GraphError(
            .shapeMismatch, at: node, tensor: input.name, expected: "\(shape) on all axes but \(axis)",
            found: "\(input.type.shape)")
    }
}
