import Nodes
import ONNX
import Tensors

/// EyeLike: a matrix of the shape of the input with ones on a diagonal.
public struct IdentityMatrix: Operator {
    public static let opTypes = ["EyeLike"]

    let node: Node
    /// Columns right of the main diagonal.
    package let diagonal: Int
    private let target: ElementType?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        diagonal = try attributes.int("k", default: 0)
        target = try attributes.int("dtype").flatMap(ElementType.init(onnxCode:))
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0, rank: 2...2).type
        return [ValueType(target ?? type.elementType, type.shape)]
    }
}
