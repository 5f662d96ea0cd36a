import Tensors

/// MaxPool and AveragePool: input [batch, channels, spatial...]. The indices that MaxPool can give are not computed.
public struct Pooling: Operator {
    /// What is left of a window.
    public enum Kind: Sendable, Equatable { case max, average }

    public static let opTypes = ["MaxPool", "AveragePool"]

    let node: Node
    /// What is left of a window.
    public let kind: Kind
    /// Kernel, strides, dilations and padding; the kernel is given.
    public let window: Window
    /// Whether elements of the padding count in an average.
    public let countsPadding: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        kind = node.opType == "MaxPool" ? .max : .average
        var attributes = AttributeReader(node)
        window = try Window(node: node, attributes: &attributes, hasCeilMode: opsetVersion >= 10)
        countsPadding = kind == .average ? try attributes.flag("count_include_pad") : false
        if kind == .max { attributes.ignore("storage_order") }
        try attributes.finish()
        guard window.kernel != nil else {
            throw GraphError(.invalidAttribute, at: node, expected: "kernel_shape", found: "none")
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0, rank: 3...Int.max)
        let shape = input.type.shape
        let kernel = window.kernel ?? []
        guard kernel.count == shape.rank - 2 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "rank \(kernel.count + 2)", found: "\(shape)")
        }
        let extents = window.outputExtents(input: Array(shape.dimensions.dropFirst(2)), kernel: kernel)
        guard extents.allSatisfy({ $0 > 0 }) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "an input that the window \(kernel) fits into",
                found: "\(shape)")
        }
        return [ValueType(input.type.elementType, Shape([shape[0], shape[1]] + extents))]
    }
}
