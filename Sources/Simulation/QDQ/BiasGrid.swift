import Graph
import Quantization
import Tensors

/// The grid of a layer's bias: that of the integer products it is added to. The simulation leaves biases alone; on this
/// grid a bias is off by at most half the product of the two deltas, a small part of a step of the output.
struct BiasGrid {
    let bias: String
    /// Delta of the input times delta of the weight; one, or one per channel.
    let scales: [Float]

    /// Nil where the layer has no constant bias, where input or weight are not quantized, or where the sum is no plain sum
    /// of products: a Gemm with factors.
    /// - Parameters:
    ///   - input: encoding of the node's first input.
    ///   - weight: encodings of its second.
    init?(of node: Node, in graph: Graph, input: Encoding?, weight: TensorEncodings?) {
        guard ["Conv", "ConvTranspose", "Gemm"].contains(node.opType), node.inputs.count > 2, let input, let weight,
            let bias = graph.constants[node.inputs[2]], bias.elementType == .float32,
            let matrix = graph.constants[node.inputs[1]]
        else { return nil }
        let isPlain = ["alpha", "beta"].allSatisfy { node.attributes[$0] ?? .float(1) == .float(1) }
        // One scale per channel of the bias needs a bias that has channels alone.
        let isPerChannel = weight.axis != nil
        guard isPlain,
            !isPerChannel
                || (weight.axis == ChannelAxis.of(node, rank: matrix.shape.rank)
                    && bias.shape == [weight.encodings.count])
        else { return nil }
        self.bias = node.inputs[2]
        scales = weight.encodings.map { Float(input.delta) * Float($0.delta) }
    }

    var attributes: [String: Attribute] { scales.count > 1 ? ["axis": .int(0)] : [:] }

    /// - Returns: nil where an element is beyond the range of int32, as in a channel whose weights are all but zero.
    func quantized(_ bias: Tensor) -> Tensor? {
        let values = bias.elements(as: Float.self).enumerated().map { index, element in
            (Double(element) / Double(scales[index % scales.count])).rounded(.toNearestOrEven)
        }
        guard scales.allSatisfy(\.isNormal), values.allSatisfy({ abs($0) < 0x1p31 }) else { return nil }
        return Tensor(shape: bias.shape, values.map { Int32($0) })
    }
}
