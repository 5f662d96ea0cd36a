import Nodes
import TensorFunctions
import Tensors

/// NonMaxSuppression: for each image and class the boxes that no better one overlaps, as rows of image, class and box.
///
/// Inputs: boxes [images, boxes, 4], scores [images, classes, boxes], and optional scalars: how many are kept of each
/// class (0 by default), of which overlap a box is suppressed, and above which score one counts. How many there are
/// depends on all of them, which must be constants.
public struct NonMaximumSuppression: Operator {
    public static let opTypes = ["NonMaxSuppression"]

    let node: Node
    private let isCentered: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...5)
        var attributes = AttributeReader(node)
        isCentered = try attributes.flag("center_point_box")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let value = try value(inputs: inputs)
        return [ValueType(value.elementType, value.shape)]
    }

    /// Int64 [kept, 3].
    package func value(inputs: [OperatorInput?]) throws -> Tensor {
        let boxes = try node.input(inputs, 0, rank: 3...3).type
        let scores = try node.input(inputs, 1, rank: 3...3).type
        guard boxes.shape == [scores.shape[0], scores.shape[2], 4], scores.elementType == .float32,
            boxes.elementType == .float32
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: inputs[0]?.name,
                expected: "float32 [\(scores.shape[0]), \(scores.shape[2]), 4]",
                found: "\(boxes.elementType.rawValue) \(boxes.shape)")
        }
        let overlap = try number(inputs, 3) ?? 0
        guard 0...1 ~= overlap else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 3)?.name, expected: "an overlap in 0...1",
                found: "\(overlap)")
        }
        let suppression = BoxSuppression(
            isCentered: isCentered, limit: max(try node.constantInts(inputs, 2)?.first ?? 0, 0), overlap: overlap,
            threshold: try number(inputs, 4))
        guard let boxes = try node.constant(inputs, 0), let scores = try node.constant(inputs, 1) else {
            return Tensor(shape: [0, 3], [Int64]())
        }
        return suppression.kept(boxes: boxes, scores: scores)
    }

    private func number(_ inputs: [OperatorInput?], _ index: Int) throws -> Float? {
        try node.constant(inputs, index)?.floats.first
    }
}
