import Nodes
import Tensors

/// CumSum and CumProd: sums, or products, of all elements up to each one along an axis.
public struct Accumulation: Operator {
    public static let opTypes = ["CumSum", "CumProd"]

    package let node: Node
    /// Whether an element is left out of its own sum.
    package let isExclusive: Bool
    /// Whether the sums begin at the end.
    package let isReversed: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        isExclusive = try attributes.flag("exclusive")
        isReversed = try attributes.flag("reverse")
        try attributes.finish()
        self.node = node
    }

    /// The axis, which must be known.
    package func axis(inputs: [OperatorInput?]) throws -> Int {
        let rank = try node.input(inputs, 0, rank: 1...Int.max).type.shape.rank
        return try node.resolveAxis(try node.constantInts(inputs, 1)?.first ?? 0, rank: rank)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 1...Int.max).type
        if node.optional(inputs, 1)?.constant != nil { _ = try axis(inputs: inputs) }
        return [type]
    }
}
