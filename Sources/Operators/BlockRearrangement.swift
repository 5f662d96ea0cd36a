import Nodes
import Tensors

/// DepthToSpace and SpaceToDepth: blocks of an image's pixels become channels, or channels blocks.
public struct BlockRearrangement: Operator {
    public static let opTypes = ["DepthToSpace", "SpaceToDepth"]

    package let node: Node
    package let blockSize: Int
    /// Whether a block's pixels are the slow index of the depth, the channels the fast one.
    package let isDepthFirst: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        blockSize = try attributes.int("blocksize", default: 0)
        let mode = try attributes.string("mode") ?? "DCR"
        guard blockSize > 0, blockSize < 1 << 20, mode == "DCR" || mode == "CRD" else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "a blocksize above 0 and mode DCR or CRD",
                found: "\(blockSize), \(mode)")
        }
        isDepthFirst = mode == "DCR"
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 4...4).type
        let extents = type.shape.dimensions
        let isToSpace = node.opType == "DepthToSpace"
        let divisors = isToSpace ? [1, blockSize * blockSize, 1, 1] : [1, 1, blockSize, blockSize]
        guard zip(extents, divisors).allSatisfy({ $0 % $1 == 0 }) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: inputs[0]?.name,
                expected: "extents that are multiples of \(divisors)",
                found: "\(type.shape)")
        }
        let shape =
            isToSpace
            ? [extents[0], extents[1] / divisors[1], extents[2] * blockSize, extents[3] * blockSize]
            : [extents[0], extents[1] * blockSize * blockSize, extents[2] / blockSize, extents[3] / blockSize]
        return [ValueType(type.elementType, Shape(shape))]
    }
}
