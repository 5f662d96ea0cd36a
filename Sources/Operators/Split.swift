import Nodes
import Tensors

/// Split: the input cut along `axis` into as many parts as the node has outputs.
public struct Split: Operator {
    public static let opTypes = ["Split"]

    let node: Node
    /// May count from the end.
    public let axis: Int
    /// Extents that are an attribute (before opset 13).
    private let attributeExtents: [Int]?
    private let takesExtents: Bool
    /// From opset 18 on the last of equal parts may be smaller.
    private let allowsRest: Bool

    public init(node: Node, opsetVersion: Int) throws {
        takesExtents = opsetVersion >= 13
        allowsRest = opsetVersion >= 18
        try node.checkArity(inputs: 1...(takesExtents ? 2 : 1), outputs: Int.max)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: 0)
        attributeExtents = takesExtents ? nil : try attributes.ints("split")
        let parts = allowsRest ? try attributes.int("num_outputs") : nil
        try attributes.finish()
        if let parts, parts != node.outputs.count {
            throw GraphError(
                .invalidAttribute, at: node, expected: "num_outputs \(node.outputs.count)", found: "\(parts)")
        }
        self.node = node
    }

    /// The axis counted from the front.
    /// - Parameter rank: of the input.
    public func resolvedAxis(rank: Int) -> Int { axis < 0 ? axis + rank : axis }

    /// The extent of each output along the axis.
    public func extents(inputs: [OperatorInput?]) throws -> [Int] {
        let input = try node.input(inputs, 0, rank: 1...Int.max)
        let total = input.type.shape[try node.resolveAxis(axis, rank: input.type.shape.rank)]
        let parts = node.outputs.count
        if let given = takesExtents ? try node.constantInts(inputs, 1) : attributeExtents {
            guard given.count == parts, given.allSatisfy({ 0...total ~= $0 }), given.reduce(0, +) == total else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: input.name, expected: "\(parts) extents with sum \(total)",
                    found: "\(given)")
            }
            return given
        }
        let part = (total + parts - 1) / parts
        let last = total - part * (parts - 1)
        guard last == part || (allowsRest && last >= 0) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "\(parts) equal parts along axis \(axis)",
                found: "\(input.type.shape)")
        }
        return [Int](repeating: part, count: parts - 1) + [last]
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        return try extents(inputs: inputs).map { extent in
            var extents = type.shape.dimensions
            extents[resolvedAxis(rank: type.shape.rank)] = extent
            return ValueType(type.elementType, Shape(extents))
        }
    }
}
