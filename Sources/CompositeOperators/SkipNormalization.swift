import Nodes
import Tensors

/// ONNX Runtime's SkipLayerNormalization and SkipSimplifiedLayerNormalization: the layer normalization, or the one without means, of
/// input + skip + bias along the last axis.
///
/// Inputs: [..., size], skip that broadcasts to it, scale [size], of the first kind optionally a shift [size], optionally a bias
/// [size]. Outputs: the result, the means, one over the deviations, and the sum.
public struct SkipNormalization: Operator {
    public static let opTypes = [
        "com.microsoft.SkipLayerNormalization", "com.microsoft.SkipSimplifiedLayerNormalization",
    ]

    package let node: Node
    /// Added to the variance.
    package let epsilon: Float

    /// Whether there are no means and no shift.
    package var isSimplified: Bool { node.opType == "SkipSimplifiedLayerNormalization" }
    /// Places of the shift, nil where there is none, and of the bias among the inputs.
    package var places: (shift: Int?, bias: Int) { isSimplified ? (nil, 3) : (3, 4) }

    public init(node: Node, opsetVersion: Int) throws {
        let isSimplified = node.opType == "SkipSimplifiedLayerNormalization"
        try node.checkArity(inputs: 3...(isSimplified ? 4 : 5), outputs: 4)
        var attributes = AttributeReader(node)
        epsilon = try attributes.float("epsilon", default: isSimplified ? 1e-6 : 1e-12)
        try attributes.finish()
        if isSimplified, node.outputs.count > 1, !node.outputs[1].isEmpty {
            throw GraphError(
                .unsupportedOperators, at: node, tensor: node.outputs[1], expected: "no means", found: "means")
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let input = try node.input(inputs, 0, rank: 2...3)
        let (shape, skip) = (input.type.shape, try node.input(inputs, 1))
        guard Shape.broadcast(skip.type.shape, shape) == shape else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: skip.name, expected: "a shape that broadcasts to \(shape)",
                found: "\(skip.type.shape)")
        }
        for index in 2..<5 { try node.checkPerChannel(inputs, index, channels: shape[shape.rank - 1]) }
        let statistics = ValueType(.float32, Shape(Array(shape.dimensions.dropLast()) + [1]))
        return [input.type, statistics, statistics, input.type]
    }
}
