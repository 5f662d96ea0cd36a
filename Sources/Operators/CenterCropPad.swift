import Nodes
import Tensors

/// CenterCropPad: the middle of the input along some axes, or the input in the middle of zeros. The second input has
/// the extents.
public struct CenterCropPad: Operator {
    public static let opTypes = ["CenterCropPad"]

    package let node: Node
    private let axes: [Int]?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        axes = try attributes.ints("axes")
        try attributes.finish()
        self.node = node
    }

    /// The axes that are cropped or padded, from the front.
    package func resolvedAxes(rank: Int) throws -> [Int] {
        let resolved = try (axes ?? Array(0..<rank)).map { try node.resolveAxis($0, rank: rank) }
        guard Set(resolved).count == resolved.count else {
            throw GraphError(.invalidAttribute, at: node, expected: "axes that differ", found: "\(resolved)")
        }
        return resolved
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        let axes = try resolvedAxes(rank: type.shape.rank)
        let wanted = try node.constantInts(inputs, 1) ?? []
        guard wanted.count == axes.count, wanted.allSatisfy({ 0...Window.limit ~= $0 }) else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 1)?.name,
                expected: "extents of \(axes.count) axes", found: "\(wanted)")
        }
        var extents = type.shape.dimensions
        for (axis, extent) in zip(axes, wanted) { extents[axis] = extent }
        return [ValueType(type.elementType, try node.moderateShape(extents, tensor: node.optional(inputs, 1)?.name))]
    }
}
