import Nodes
import Tensors

/// ONNX Runtime's SimplifiedLayerNormalization: x / sqrt(mean of squares + epsilon) * scale over the axes from one on, as
/// RMSNormalization, and one over the roots.
public struct SimplifiedNormalization: Operator {
    public static let opTypes = ["SimplifiedLayerNormalization"]

    package let node: Node
    /// The first axis that is normalized over; may count from the end.
    package let axis: Int
    /// Added to the mean.
    package let epsilon: Float

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2, outputs: 2)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis", default: -1)
        epsilon = try attributes.float("epsilon", default: 1e-5)
        attributes.ignore("stash_type")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 1...Int.max).type
        let axis = try node.resolveAxis(axis, rank: type.shape.rank)
        let (kept, normalized) = (type.shape.dimensions[..<axis], Shape(Array(type.shape.dimensions[axis...])))
        let scale = try node.input(inputs, 1)
        guard Shape.broadcast(scale.type.shape, normalized) == normalized else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: scale.name, expected: "a shape that broadcasts to \(normalized)",
                found: "\(scale.type.shape)")
        }
        let roots = Shape(kept + normalized.dimensions.map { _ in 1 })
        return [ValueType(scale.type.elementType, type.shape), ValueType(.float32, roots)]
    }
}
