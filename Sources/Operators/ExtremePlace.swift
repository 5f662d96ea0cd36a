import Nodes
import Tensors

/// ArgMax and ArgMin: the index of the greatest or least element along an axis, the first or the last of equal ones.
public struct ExtremePlace: Operator {
    public static let opTypes = ["ArgMax", "ArgMin"]

    package let node: Node
    package let axis: Int
    package let keepsAxis: Bool
    package let takesLast: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: 0)
        keepsAxis = try attributes.flag("keepdims", default: true)
        takesLast = opsetVersion >= 12 ? try attributes.flag("select_last_index") : false
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0, rank: 1...Int.max)
        var extents = input.type.shape.dimensions
        let axis = try node.resolveAxis(axis, rank: extents.count)
        guard extents[axis] > 0 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "elements along axis \(axis)",
                found: "\(input.type.shape)")
        }
        if keepsAxis { extents[axis] = 1 } else { extents.remove(at: axis) }
        return [ValueType(.int64, Shape(extents))]
    }
}
