import Nodes
import Tensors

/// Transpose: axis i of the output is axis `permutation[i]` of the input.
public struct Transpose: Operator {
    public static let opTypes = ["Transpose"]

    let node: Node
    /// Nil where the axes are reversed.
    public let permutation: [Int]?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        permutation = try attributes.ints("perm")
        try attributes.finish()
        self.node = node
    }

    /// The permutation, which reverses the axes where none is given: axis `i` of the output is axis `resolved[i]` of the
    /// input.
    public func resolved(rank: Int) -> [Int] { permutation ?? Array((0..<rank).reversed()) }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0)
        let shape = input.type.shape
        let axes = resolved(rank: shape.rank)
        guard axes.sorted() == Array(0..<shape.rank) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "an input that perm \(axes) fits",
                found: "\(shape)")
        }
        return [ValueType(input.type.elementType, Shape(axes.map { shape[$0] }))]
    }
}
