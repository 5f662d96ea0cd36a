import Graph
import Nodes
import Operators
import Quantization
import Tensors

/// The grid of a layer's bias: that of the integer products it is added to, whose sums integer kernels hold in int32. A bias
/// is off by at most half the product of the two deltas there.
struct BiasGrid {
    /// The constant.
    let bias: String
    /// Delta of the input times delta of the weight; one, or one per channel.
    let scales: [Float]

    /// A grid so fine that a bias on it is as good as it was. Integer kernels take a bias on the grid of the products alone.
    init(holding constant: Tensor, named bias: String) {
        self.bias = bias
        scales = [constant.elements(as: Float.self).reduce(0) { max($0, abs($1)) } * 0x1p-30]
    }

    init(bias: String, scales: [Float]) {
        self.bias = bias
        self.scales = scales
    }

    /// - Returns: nil where an element is beyond the range of int32, as in a channel whose weights are all but zero: such a
    ///   bias stays as it is.
    func quantized(_ bias: Tensor) -> Tensor? {
        let values = bias.elements(as: Float.self).enumerated().map { index, element in
            (Double(element) / Double(scales[index % scales.count])).rounded(.toNearestOrEven)
        }
        guard scales.allSatisfy(\.isNormal), values.allSatisfy({ abs($0) < 0x1p31 }) else { return nil }
        return Tensor(shape: bias.shape, values.map { Int32($0) })
    }

    /// The bias rounded to the grid, where that holds it.
    func simulated(_ bias: Tensor) -> Tensor? {
        quantized(bias).map { integers in
            let values = integers.elements(as: Int32.self).enumerated().map { Float($1) * scales[$0 % scales.count] }
            return Tensor(shape: bias.shape, values)
        }
    }
}

/// The biases of a graph's quantized layers.
struct LayerBiases {
    private let graph: Graph
    private let encodings: [String: TensorEncodings]
    private let uses: ValueUses

    /// - Parameter encodings: of activations and parameters, by name.
    init(_ graph: Graph, encodings: [String: TensorEncodings]) {
        self.graph = graph
        self.encodings = encodings
        uses = ValueUses(graph)
    }

    /// Nil where the node has no constant bias or one with an encoding of its own, where input or weight are not integers,
    /// where blocks of a channel have scales of their own, so that no one grid holds its products, and where the sum is no
    /// plain sum of products: a Gemm with factors.
    func grid(of node: Node) -> BiasGrid? {
        guard ["Conv", "ConvTranspose", "Gemm"].contains(node.opType), node.inputs.count > 2,
            encodings[node.inputs[2]] == nil, let weight = encodings[node.inputs[1]], weight.dataType == .int,
            weight.blocks == nil,
            let bias = graph.constants[node.inputs[2]], bias.elementType == .float32,
            let matrix = graph.constants[node.inputs[1]], matrix.elementType == .float32,
            let input = encoding(behind: node.inputs[0]),
            ["alpha", "beta"].allSatisfy({ node.attributes[$0] ?? .float(1) == .float(1) })
        else { return nil }
        // One scale per channel asks for a bias that has channels alone.
        guard
            weight.axis == nil
                || (weight.axis == ChannelAxis.of(node, rank: matrix.shape.rank)
                    && bias.shape == [weight.encodings.count])
        else { return nil }
        return BiasGrid(
            bias: node.inputs[2], scales: weight.encodings.map { Float(input.delta) * Float($0.delta) })
    }

    /// Whether one node alone takes the bias.
    func isTakenOnce(_ bias: String) -> Bool { uses.soleConsumer(of: bias) != nil }

    /// The encoding whose grid a value is on: its own, or that of the value whose elements it has.
    private func encoding(behind tensor: String) -> Encoding? {
        var name = tensor
        while true {
            if let found = encodings[name] { return found.axis == nil ? found.encodings.first : nil }
            guard let producer = uses.producers[name] else { return nil }
            let node = graph.nodes[producer]
            guard OperatorTraits.gridPreserving.contains(node.opType), let input = node.inputs.first else { return nil }
            name = input
        }
    }
}

extension Graph {
    /// The graph with the biases of its quantized layers rounded as integer kernels hold them. A bias that several nodes take
    /// becomes one for each.
    /// - Parameter encodings: of activations and parameters, by name.
    public func simulatingBiases(_ encodings: [String: TensorEncodings]) -> Graph {
        let biases = LayerBiases(self, encodings: encodings)
        var names = FreshNames(self)
        var simulated = self
        for (index, node) in nodes.enumerated() {
            guard let grid = biases.grid(of: node), let constant = constants[grid.bias],
                let rounded = grid.simulated(constant)
            else { continue }
            let name = biases.isTakenOnce(grid.bias) ? grid.bias : names.value("\(grid.bias)_of_\(node.name)")
            simulated.constants[name] = rounded
            simulated.nodes[index].inputs[2] = name
        }
        return simulated
    }
}
