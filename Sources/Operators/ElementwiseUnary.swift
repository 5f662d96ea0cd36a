import Nodes
import TensorFunctions
import Tensors

/// A function of each element.
public struct ElementwiseUnary: Operator {
    /// What is computed of an element.
    public typealias Function = UnaryFunction

    public static let opTypes = [
        "Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal", "Erf",
        "HardSigmoid", "HardSwish", "Softplus", "Gelu", "Floor", "Ceil", "Round", "Sign", "Celu", "Selu", "Mish",
        "Swish", "Softsign", "ThresholdedRelu", "Shrink", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh",
        "Asinh", "Acosh", "Atanh", "com.microsoft.Gelu", "com.microsoft.QuickGelu",
    ]

    package let node: Node
    /// What is computed of each element.
    public let function: Function

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        function = try Self.function(node, &attributes)
        try attributes.finish()
        self.node = node
    }

    private static func function(_ node: Node, _ attributes: inout AttributeReader) throws -> Function {
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
        case "Gelu": .gelu(tanhApproximation: try approximates(node, &attributes))
        case "QuickGelu": .swish(alpha: try attributes.float("alpha", default: 1.702))
        case "Celu": .celu(alpha: try attributes.float("alpha", default: 1))
        case "Selu":
            .selu(
                alpha: try attributes.float("alpha", default: 1.67326319217681884765625),
                gamma: try attributes.float("gamma", default: 1.05070102214813232421875))
        case "Mish": .mish
        case "Swish": .swish(alpha: try attributes.float("alpha", default: 1))
        case "Softsign": .softsign
        case "ThresholdedRelu": .thresholdedRelu(alpha: try attributes.float("alpha", default: 1))
        case "Shrink":
            .shrink(
                bias: try attributes.float("bias", default: 0), lambda: try attributes.float("lambd", default: 0.5))
        case "Sin": .sin
        case "Cos": .cos
        case "Tan": .tan
        case "Asin": .asin
        case "Acos": .acos
        case "Atan": .atan
        case "Sinh": .sinh
        case "Cosh": .cosh
        case "Asinh": .asinh
        case "Acosh": .acosh
        case "Atanh": .atanh
        case "Floor": .floor
        case "Ceil": .ceil
        case "Round": .round
        case "Sign": .sign
        default: throw GraphError(.unsupportedOperators, at: node, found: node.opType)
        }
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
