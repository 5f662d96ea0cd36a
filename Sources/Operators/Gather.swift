import Nodes
import Tensors

/// Gather: entries of `axis` picked by an index tensor, whose axes take the place of `axis`.
public struct Gather: Operator {
    public static let opTypes = ["Gather"]

    let node: Node
    /// May count from the end.
    public let axis: Int

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: 0)
        try attributes.finish()
        self.node = node
    }

    /// The axis counted from the front.
    /// - Parameter rank: of the input.
    public func resolvedAxis(rank: Int) -> Int { axis < 0 ? axis + rank : axis }

    /// The indices, whose values must be known, counted from the front.
    public func indices(inputs: [OperatorInput?]) throws -> [Int] {
        let shape = try node.input(inputs, 0, rank: 1...Int.max).type.shape
        let extent = shape[try node.resolveAxis(axis, rank: shape.rank)]
        return try (node.constantInts(inputs, 1) ?? []).map { index in
            guard index >= -extent, index < extent else {
                throw GraphError(
                    .invalidInput, at: node, tensor: inputs[1]?.name, expected: "indices in \(-extent)...\(extent - 1)",
                    found: "\(index)")
            }
            return index < 0 ? index + extent : index
        }
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let data = try node.input(inputs, 0, rank: 1...Int.max).type
        let axis = try node.resolveAxis(axis, rank: data.shape.rank)
        let indices = try node.input(inputs, 1)
        if indices.constant != nil { _ = try self.indices(inputs: inputs) }
        let picked = indices.type.shape.dimensions
        let extents = data.shape.dimensions[..<axis] + picked + data.shape.dimensions[(axis + 1)...]
        return [ValueType(data.elementType, Shape(Array(extents)))]
    }
}
