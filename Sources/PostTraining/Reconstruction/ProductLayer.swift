import Graph
import Nodes
import Operators
import Tensors

/// A Conv, Gemm or MatMul with a constant float32 weight, as what it computes: for each row of its inputs (the window of a
/// convolution, or a row of a matrix) and each group of channels, the products with the rows of a matrix.
public struct ProductLayer: Sendable {
    public let node: Node
    /// Channels that do not mix.
    public let groups: Int
    /// Weights of one output: [channels of a group, window...] in the order of the file.
    public let inputs: Int
    /// Of all groups.
    public let outputs: Int
    /// Of a convolution; nil for products of matrices.
    public let window: Window?
    /// Extents of the window; empty for products of matrices.
    public let kernel: [Int]
    /// Whether the weight is [outputs, inputs...]; else it is [inputs, outputs].
    private let hasOutputsFirst: Bool

    /// Value that comes in, name of the weight, value that goes out.
    public var input: String { node.inputs[0] }
    public var weight: String { node.inputs[1] }
    public var output: String { node.outputs[0] }
    /// Name of the bias; nil where the node has none.
    public var bias: String? { node.inputs.count > 2 && !node.inputs[2].isEmpty ? node.inputs[2] : nil }
    /// Whether the node takes a bias.
    public var takesBias: Bool { node.opType != "MatMul" }
    public var outputsPerGroup: Int { outputs / groups }
    /// The axis of the weight that its outputs lie along.
    public var outputAxis: Int { hasOutputsFirst ? 0 : 1 }

    /// Nil where the node is no such layer, or has factors, or a bias that is not one number for each output.
    public init?(_ node: Node, in graph: Graph) {
        guard node.domain.isEmpty, node.inputs.count >= 2, let weight = graph.constants[node.inputs[1]],
            weight.elementType == .float32, weight.shape.rank >= 2, weight.count > 0,
            graph.constants[node.inputs[0]] == nil,
            let meaning = try? KnownOperators.make(node: node, opsetVersion: graph.opsetVersion)
        else { return nil }
        switch meaning {
        case let conv as Convolution:
            guard weight.shape.rank <= 5, weight.shape[0] % conv.groups == 0 else { return nil }
            (groups, window, hasOutputsFirst) = (conv.groups, conv.window, true)
            kernel = Array(weight.shape.dimensions.dropFirst(2))
        case let gemm as GeneralMatrixProduct:
            guard gemm.alpha == 1, gemm.beta == 1, !gemm.transposesA, weight.shape.rank == 2 else { return nil }
            (groups, window, hasOutputsFirst, kernel) = (1, nil, gemm.transposesB, [])
        case is MatrixProduct:
            guard weight.shape.rank == 2 else { return nil }
            (groups, window, hasOutputsFirst, kernel) = (1, nil, false, [])
        default: return nil
        }
        self.node = node
        outputs = hasOutputsFirst ? weight.shape[0] : weight.shape[1]
        inputs = weight.count / outputs
        if let bias {
            guard graph.floats(bias)?.count == outputs, graph.constants[bias]?.shape.rank == 1 else { return nil }
        }
    }

    /// The graph with biases of zeros where layers have none that could have one.
    public static func addingBiases(to graph: Graph) -> Graph {
        var (changed, names) = (graph, FreshNames(graph))
        for (index, node) in graph.nodes.enumerated() {
            guard let layer = ProductLayer(node, in: graph), layer.takesBias, layer.bias == nil else { continue }
            let name = names.value(node.name + ".bias")
            changed.nodes[index].inputs = [node.inputs[0], node.inputs[1], name]
            changed.constants[name] = Tensor(shape: [layer.outputs], [Float](repeating: 0, count: layer.outputs))
        }
        return changed
    }

    /// The weights by output: [outputs][inputs].
    public func rows(of weight: Tensor) -> [Float] {
        let elements = weight.elements(as: Float.self)
        return hasOutputsFirst ? elements : Self.transposed(elements, rows: inputs, columns: outputs)
    }

    /// The weight whose rows these are.
    /// - Parameters:
    ///   - rows: [outputs][inputs]
    ///   - shape: of the weight.
    public func weight(rows: [Float], shape: Shape) -> Tensor {
        Tensor(shape: shape, hasOutputsFirst ? rows : Self.transposed(rows, rows: outputs, columns: inputs))
    }

    private static func transposed(_ elements: [Float], rows: Int, columns: Int) -> [Float] {
        var result = [Float](repeating: 0, count: elements.count)
        for row in 0..<rows {
            for column in 0..<columns { result[column * rows + row] = elements[row * columns + column] }
        }
        return result
    }
}
