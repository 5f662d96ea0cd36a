import Nodes
import Tensors

/// IsNaN and IsInf: whether each element is no number, or infinite.
public struct ElementTest: Operator {
    public static let opTypes = ["IsNaN", "IsInf"]

    package let node: Node
    /// Of IsInf: which infinities count.
    package let countsPositive: Bool
    package let countsNegative: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        let isOfInfinity = node.opType == "IsInf"
        countsPositive = isOfInfinity ? try attributes.flag("detect_positive", default: true) : false
        countsNegative = isOfInfinity ? try attributes.flag("detect_negative", default: true) : false
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [ValueType(.bool, try node.input(inputs, 0).type.shape)]
    }
}
