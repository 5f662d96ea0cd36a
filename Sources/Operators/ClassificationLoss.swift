import Nodes
import Tensors

/// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: how far the scores of classes [batch, classes, places...] are
/// from the labels [batch, places...]; optional weights [classes]. The second may give the logarithms of its
/// probabilities too.
public struct ClassificationLoss: Operator {
    /// What becomes of the losses of all places.
    public enum Reduction: String, Sendable { case none, sum, mean }

    public static let opTypes = ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"]

    package let node: Node
    /// What becomes of the losses of all places.
    public let reduction: Reduction
    /// A label that has no loss.
    package let ignoredLabel: Int?

    /// Whether scores become probabilities first; else they are logarithms of probabilities.
    package var isOfScores: Bool { node.opType == "SoftmaxCrossEntropyLoss" }

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...3, outputs: node.opType == "SoftmaxCrossEntropyLoss" ? 2 : 1)
        var attributes = AttributeReader(node)
        let name = try attributes.string("reduction") ?? "mean"
        ignoredLabel = try attributes.int("ignore_index")
        try attributes.finish()
        guard let reduction = Reduction(rawValue: name) else {
            throw GraphError(.invalidAttribute, at: node, expected: "none, sum or mean", found: name)
        }
        self.reduction = reduction
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType([inputs[0], node.optional(inputs, 2)])
        let scores = try node.input(inputs, 0, rank: 2...Int.max).type
        let labels = try node.input(inputs, 1)
        let places = Shape(Array(scores.shape.dimensions[..<1] + scores.shape.dimensions[2...]))
        guard labels.type.shape == places, [.int32, .int64].contains(labels.type.elementType),
            scores.elementType.isFloatingPoint
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: labels.name, expected: "int64 or int32 \(places) for floats",
                found: "\(labels.type.elementType.rawValue) \(labels.type.shape)")
        }
        try node.checkPerChannel(inputs, 2, channels: scores.shape[1])
        let loss = ValueType(scores.elementType, reduction == .none ? places : [])
        return isOfScores ? [loss, scores] : [loss]
    }
}
