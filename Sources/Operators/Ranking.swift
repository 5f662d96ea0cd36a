import Nodes
import Tensors

/// TopK: the greatest or least elements along an axis and their indices; of equal elements the first comes first.
public struct Ranking: Operator {
    public static let opTypes = ["TopK"]

    package let node: Node
    package let axis: Int
    package let takesLargest: Bool
    private let attributeCount: Int?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: opsetVersion < 10 ? 1...1 : 2...2, outputs: 2)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: -1)
        attributeCount = opsetVersion < 10 ? try attributes.int("k") : nil
        takesLargest = opsetVersion >= 11 ? try attributes.flag("largest", default: true) : true
        attributes.ignore("sorted")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0, rank: 1...Int.max)
        var extents = input.type.shape.dimensions
        let axis = try node.resolveAxis(axis, rank: extents.count)
        let count = try attributeCount ?? node.constantInts(inputs, 1)?.first ?? -1
        guard 0...extents[axis] ~= count else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 1)?.name,
                expected: "k from 0 to \(extents[axis])", found: "\(count)")
        }
        extents[axis] = count
        return [ValueType(input.type.elementType, Shape(extents)), ValueType(.int64, Shape(extents))]
    }
}
