import Nodes
import TensorFunctions
import Tensors

/// Unique: the elements that differ, or the slices along an axis; where each is first, which of them each element of
/// the input is, and how often each comes. What extents the outputs have depends on the elements, which must be
/// constants.
public struct UniqueElements: Operator {
    public static let opTypes = ["Unique"]

    let node: Node
    private let axis: Int?
    private let isSorted: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1, outputs: 4, needsFirst: false)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis")
        isSorted = try attributes.flag("sorted", default: true)
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try values(inputs: inputs).map { ValueType($0.elementType, $0.shape) }
    }

    /// The four outputs.
    package func values(inputs: [OperatorInput?]) throws -> [Tensor] {
        guard let data = try node.constant(inputs, 0) else { return [] }
        return data.distinct(
            along: try axis.map { try node.resolveAxis($0, rank: data.shape.rank) }, isSorted: isSorted)
    }
}
