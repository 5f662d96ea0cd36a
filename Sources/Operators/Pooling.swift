import Nodes
import Tensors

/// MaxPool and AveragePool: input [batch, channels, spatial...]. MaxPool may give the place of each maximum too, as a
/// number among all elements of the input.
public struct Pooling: Operator {
    /// What is left of a window.
    public enum Kind: Sendable, Equatable { case max, average }

    public static let opTypes = ["MaxPool", "AveragePool"]

    package let node: Node
    /// What is left of a window.
    public let kind: Kind
    /// Whether the places of maxima are numbered with the first spatial axis fastest.
    package let numbersColumnsFirst: Bool
    /// Kernel, strides, dilations and padding; the kernel is given.
    public let window: Window
    /// Whether elements of the padding count in an average.
    public let countsPadding: Bool

    public init(node: Node, opsetVersion: Int) throws {
        kind = node.opType == "MaxPool" ? .max : .average
        try node.checkArity(inputs: 1...1, outputs: kind == .max ? 2 : 1)
        var attributes = AttributeReader(node)
        window = try Window(node: node, attributes: &attributes, hasCeilMode: opsetVersion >= 10)
        countsPadding = kind == .average ? try attributes.flag("count_include_pad") : false
        numbersColumnsFirst = kind == .max ? try attributes.flag("storage_order") : false
        try attributes.finish()
        guard window.kernel != nil else {
            throw GraphError(.invalidAttribute, at: node, expected: "kernel_shape", found: "none")
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let shape = try window.pooledShape(of: node.input(inputs, 0, rank: 3...Int.max), at: node)
        let type = ValueType(try node.input(inputs, 0).type.elementType, shape)
        return kind == .max ? [type, ValueType(.int64, shape)] : [type]
    }
}

extension Window {
    /// The shape of a pooling's output; the kernel is given.
    func pooledShape(of input: OperatorInput, at node: Node) throws -> Shape {
        let shape = input.type.shape
        let kernel = kernel ?? []
        guard kernel.count == shape.rank - 2 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "rank \(kernel.count + 2)", found: "\(shape)")
        }
        let extents = outputExtents(input: Array(shape.dimensions.dropFirst(2)), kernel: kernel)
        guard extents.allSatisfy({ $0 > 0 }) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "an input that the window \(kernel) fits into",
                found: "\(shape)")
        }
        return Shape([shape[0], shape[1]] + extents)
    }
}
