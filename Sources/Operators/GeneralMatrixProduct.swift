import Nodes
import Tensors

/// Gemm: alpha * A' * B' + beta * C, with A' [rows, inner], B' [inner, columns] after the transpositions, and C
/// broadcast to [rows, columns].
public struct GeneralMatrixProduct: Operator {
    public static let opTypes = ["Gemm"]

    package let node: Node
    /// Factor of the product.
    public let alpha: Float
    /// Factor of C.
    public let beta: Float
    /// Whether A is given as [inner, rows].
    public let transposesA: Bool
    /// Whether B is given as [columns, inner].
    public let transposesB: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: (opsetVersion >= 11 ? 2 : 3)...3)
        var attributes = AttributeReader(node)
        alpha = try attributes.float("alpha", default: 1)
        beta = try attributes.float("beta", default: 1)
        transposesA = try attributes.flag("transA")
        transposesB = try attributes.flag("transB")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let a = try node.input(inputs, 0, rank: 2...2)
        let b = try node.input(inputs, 1, rank: 2...2)
        let rows = a.type.shape[transposesA ? 1 : 0]
        let inner = a.type.shape[transposesA ? 0 : 1]
        let columns = b.type.shape[transposesB ? 0 : 1]
        guard b.type.shape[transposesB ? 1 : 0] == inner else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: b.name,
                expected: transposesB ? "[columns, \(inner)]" : "[\(inner), columns]", found: "\(b.type.shape)")
        }
        let result = Shape([rows, columns])
        if let c = node.optional(inputs, 2), Shape.broadcast(c.type.shape, result) != result {
            throw GraphError(
                .shapeMismatch, at: node, tensor: c.name, expected: "a shape that broadcasts to \(result)",
                found: "\(c.type.shape)")
        }
        return [ValueType(a.type.elementType, result)]
    }
}
