import Nodes
import Tensors

/// Normalizations without learned shifts: LpNormalization, x / norm along an axis; RMSNormalization, x / sqrt(mean of squares +
/// epsilon) * scale over the axes from one on; MeanVarianceNormalization, (x - mean) / deviation over some axes.
public struct NormNormalization: Operator {
    /// What elements are divided by.
    public enum Kind: Sendable, Equatable {
        /// The sum of magnitudes (order 1) or the root of the sum of squares (2).
        case norm(axis: Int, order: Int)
        case rootMeanSquare(axis: Int, epsilon: Float)
        case meanAndVariance(axes: [Int])
    }

    public static let opTypes = ["LpNormalization", "RMSNormalization", "MeanVarianceNormalization"]

    package let node: Node
    /// What elements are divided by.
    public let kind: Kind

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: node.opType == "RMSNormalization" ? 2...2 : 1...1)
        var attributes = AttributeReader(node)
        switch node.opType {
        case "LpNormalization":
            let order = try attributes.int("p", default: 2)
            guard order == 1 || order == 2 else {
                throw GraphError(.invalidAttribute, at: node, expected: "p of 1 or 2", found: "\(order)")
            }
            kind = .norm(axis: try attributes.int("axis", default: -1), order: order)
        case "RMSNormalization":
            kind = .rootMeanSquare(
                axis: try attributes.int("axis", default: -1), epsilon: try attributes.float("epsilon", default: 1e-5))
            attributes.ignore("stash_type")
        default: kind = .meanAndVariance(axes: try attributes.ints("axes") ?? [0, 2, 3])
        }
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 1...Int.max).type
        switch kind {
        case .norm(let axis, _): _ = try node.resolveAxis(axis, rank: type.shape.rank)
        case .meanAndVariance(let axes): _ = try node.resolveAxes(axes, rank: type.shape.rank)
        case .rootMeanSquare(let axis, _):
            let normalized = Shape(Array(type.shape.dimensions[try node.resolveAxis(axis, rank: type.shape.rank)...]))
            let scale = try node.input(inputs, 1)
            guard Shape.broadcast(scale.type.shape, normalized) == normalized else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: scale.name, expected: "a shape that broadcasts to \(normalized)",
                    found: "\(scale.type.shape)")
            }
        }
        return [type]
    }
}
