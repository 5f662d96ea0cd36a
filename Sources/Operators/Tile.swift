import Nodes
import Tensors

/// Tile: the input repeated along each axis.
public struct Tile: Operator {
    public static let opTypes = ["Tile"]

    let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        try AttributeReader(node).finish()
        self.node = node
    }

    /// How often the input is repeated along each axis.
    public func repeats(inputs: [OperatorInput?]) throws -> [Int] {
        let rank = try node.input(inputs, 0).type.shape.rank
        let repeats = try node.constantInts(inputs, 1) ?? []
        guard repeats.count == rank, repeats.allSatisfy({ 0...Window.limit ~= $0 }) else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 1)?.name, expected: "\(rank) repeats",
                found: "\(repeats)")
        }
        return repeats
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        let repeats = try repeats(inputs: inputs)
        return [ValueType(type.elementType, Shape(type.shape.dimensions.indices.map { type.shape[$0] * repeats[$0] }))]
    }
}
