import Nodes
import Tensors

/// AffineGrid: the places of a GridSample that maps an image by affine maps theta [batch, axes, axes + 1]. The second
/// input is the size of the image sampled, [batch, channels, extents...]; output [batch, extents..., axes].
public struct AffineGrid: Operator {
    public static let opTypes = ["AffineGrid"]

    let node: Node
    /// Whether places -1 and 1 are the centers of the outermost elements, not their outer edges.
    package let alignsCorners: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        alignsCorners = try attributes.flag("align_corners")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let theta = try node.input(inputs, 0, rank: 3...3)
        let size = try node.constantInts(inputs, 1) ?? []
        let (shape, axes) = (theta.type.shape, size.count - 2)
        guard 2...3 ~= axes, size.allSatisfy({ 0...Window.limit ~= $0 }), shape == [size[0], axes, axes + 1],
            theta.type.elementType.isFloatingPoint
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: theta.name, expected: "maps of floats for a size \(size)",
                found: "\(shape) of \(theta.type.elementType.rawValue)")
        }
        let grid = try node.moderateShape([size[0]] + size[2...] + [axes], tensor: node.optional(inputs, 1)?.name)
        return [ValueType(theta.type.elementType, grid)]
    }
}
