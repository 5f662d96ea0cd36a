import Graph
import Nodes
import Tensors

/// A layer whose channels can be scaled: a Conv, ConvTranspose or Gemm, or a MatMul with the bias that is added behind it, whose
/// weight and bias are constants that nobody else uses.
struct EqualizableLayer {
    /// Index of the node that has the weight.
    let index: Int
    let name: String
    let linear: LinearLayer
    let weight: String
    /// Nil where the layer has none.
    let bias: String?
    /// The layer's value, behind the bias.
    let output: String
    /// Axes of the value, of which the second holds the channels; nil where the last one does, and others may be any number.
    let rank: Int?

    /// Nil where the node is no such layer.
    /// - Parameter kept: names of values and constants that must stay what they are.
    init?(_ index: Int, of graph: Graph, _ uses: ValueUses, keeping kept: Set<String>) {
        let node = graph.nodes[index]
        func isOwn(_ constant: String) -> Bool {
            uses.soleConsumer(of: constant) != nil && !kept.contains(constant)
        }
        let parameters = node.inputs.dropFirst().filter { !$0.isEmpty }
        guard Set(node.inputs).count == node.inputs.count, let weight = parameters.first, parameters.allSatisfy(isOwn),
            node.outputs.count == 1
        else { return nil }
        self.index = index
        self.weight = weight
        name = node.name
        if node.opType == "MatMul" {
            let added = Self.bias(behind: node, in: graph, uses).flatMap { bias, sum in
                isOwn(bias) && !kept.contains(node.outputs[0])
                    ? LinearLayer(product: node, bias: bias, graph).map { (bias, sum, $0) } : nil
            }
            guard let linear = added?.2 ?? LinearLayer(product: node, bias: nil, graph) else { return nil }
            self.linear = linear
            bias = added?.0
            output = added?.1 ?? node.outputs[0]
            rank = nil
        } else {
            guard let linear = LinearLayer(node, graph) else { return nil }
            self.linear = linear
            bias = parameters.dropFirst().first
            output = node.outputs[0]
            rank = graph.constants[weight]?.shape.rank
        }
    }

    /// The constant that an Add behind a product adds to it alone, and their sum.
    private static func bias(
        behind product: Node, in graph: Graph, _ uses: ValueUses
    ) -> (bias: String, sum: String)? {
        guard let index = uses.soleConsumer(of: product.outputs[0]) else { return nil }
        let add = graph.nodes[index]
        guard add.opType == "Add", add.domain.isEmpty, add.inputs.count == 2,
            let bias = add.inputs.first(where: { $0 != product.outputs[0] }), graph.constants[bias] != nil
        else { return nil }
        return (bias, add.outputs[0])
    }
}
