import Nodes
import TensorFunctions
import Tensors

/// NonZero: the places of the elements that are not zero, [axes, elements]. How many there are depends on the elements,
/// which must be constants.
public struct NonZeroPlaces: Operator {
    public static let opTypes = ["NonZero"]

    let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        try AttributeReader(node).finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let count = try places(inputs: inputs).count
        return [ValueType(.int64, [try node.input(inputs, 0).type.shape.rank, count])]
    }

    /// The places, row-major.
    package func value(inputs: [OperatorInput?]) throws -> Tensor {
        let shape = try node.input(inputs, 0).type.shape
        let indices = try places(inputs: inputs).map { shape.indices(of: $0) }
        return Tensor(
            shape: [shape.rank, indices.count],
            (0..<shape.rank).flatMap { axis in indices.map { Int64($0[axis]) } })
    }

    private func places(inputs: [OperatorInput?]) throws -> [Int] {
        try node.constant(inputs, 0)?.truths.enumerated().filter(\.element).map(\.offset) ?? []
    }
}
