import Tensors

/// A function of each element.
public struct ElementwiseUnary: Operator {
    /// What is computed of an element.
    public enum Function: Sendable, Equatable {
        case relu, leakyRelu(alpha: Float), elu(alpha: Float)
        case sigmoid, tanh, exp, log, sqrt, abs, neg, reciprocal, erf
        /// max(0, min(1, alpha * x + beta))
        case hardSigmoid(alpha: Float, beta: Float)
        /// x * max(0, min(1, x / 6 + 1 / 2))
        case hardSwish
        case softplus
        case gelu(tanhApproximation: Bool)
        case floor, ceil
        /// Half to even.
        case round
        case sign
    }

    public static let opTypes = [
        "Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal", "Erf",
        "HardSigmoid", "HardSwish", "Softplus", "Gelu", "Floor", "Ceil", "Round", "Sign",
    ]

    let node: Node
    /// What is computed of each element.
    public let function: Function

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        function =
            switch node.opType {
            case "Relu": .relu
            case "LeakyRelu": .leakyRelu(alpha: try attributes.float("alpha", default: 0.01))
            case "Elu": .elu(alpha: try attributes.float("alpha", default: 1))
            case "Sigmoid": .sigmoid
            case "Tanh": .tanh
            case "Exp": .exp
            case "Log": .log
            case "Sqrt": .sqrt
            case "Abs": .abs
            case "Neg": .neg
            case "Reciprocal": .reciprocal
            case "Erf": .erf
            case "HardSigmoid":
                .hardSigmoid(
                    alpha: try attributes.float("alpha", default: 0.2),
                    beta: try attributes.float("beta", default: 0.5))
            case "HardSwish": .hardSwish
            case "Softplus": .softplus
            case "Gelu": .gelu(tanhApproximation: try Self.approximates(node, &attributes))
            case "Floor": .floor
            case "Ceil": .ceil
            case "Round": .round
            case "Sign": .sign
            default: throw GraphError(.unsupportedOperators, at: node, found: node.opType)
            }
        try attributes.finish()
        self.node = node
    }

    private static func approximates(_ node: Node, _ attributes: inout AttributeReader) throws -> Bool {
        switch try attributes.string("approximate") ?? "none" {
        case "none": return false
        case "tanh": return true
        case let other:
            throw GraphError(.invalidAttribute, at: node, expected: "approximate none or tanh", found: other)
        }
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [try node.input(inputs, 0).type]
    }
}
