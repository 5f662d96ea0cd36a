import Nodes
import Tensors

/// LpPool and GlobalLpPool: the p-norm of each window, or of all of a channel. Input [batch, channels, spatial...].
public struct NormPooling: Operator {
    public static let opTypes = ["LpPool", "GlobalLpPool"]

    let node: Node
    /// p, at least 1.
    package let order: Int
    /// Nil where a window is all of a channel.
    private let window: Window?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        order = try attributes.int("p", default: 2)
        window =
            node.opType == "LpPool"
            ? try Window(node: node, attributes: &attributes, hasCeilMode: opsetVersion >= 18) : nil
        try attributes.finish()
        guard order > 0, window == nil || window?.kernel != nil else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "p of at least 1 and a kernel_shape", found: "p \(order)")
        }
        self.node = node
    }

    /// The window on an input of this shape.
    package func window(on shape: Shape) -> Window { window ?? .whole(of: shape) }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0, rank: 3...Int.max)
        let shape = try window(on: input.type.shape).pooledShape(of: input, at: node)
        return [ValueType(input.type.elementType, shape)]
    }
}
