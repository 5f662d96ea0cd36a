import Graph
import Nodes
import Operators
import Tensors

/// A Conv, ConvTranspose or Gemm with constant float32 weight and bias, seen as a map from input to output channels.
struct LinearLayer {
    let outputChannels: Int
    let inputChannels: Int
    /// Whether a change of the input by a constant for each channel is a change of the bias: true where nothing is padded
    /// and every output channel sees every input channel.
    let takesForwardFold: Bool
    /// [output channels]; nil where the layer has none.
    let bias: [Float]?
    private let weight: Tensor
    private let layout: Layout
    private let groups: Int

    private enum Layout {
        /// [output, input / groups, ...]
        case outputFirst
        /// [input, output / groups, ...]
        case inputFirst
    }

    /// Nil where the node is no such layer.
    init?(_ node: Node, _ graph: Graph) {
        guard node.domain.isEmpty, node.inputs.count >= 2, let weight = graph.constants[node.inputs[1]],
            weight.elementType == .float32, weight.shape.rank >= 2
        else { return nil }
        switch node.opType {
        case "Conv":
            let conv = try? KnownOperators.make(node: node, opsetVersion: graph.opsetVersion) as? Convolution
            guard let conv, weight.shape[0] % conv.groups == 0 else { return nil }
            layout = .outputFirst
            groups = conv.groups
            takesForwardFold = groups == 1 && conv.window.padsNothing
        case "ConvTranspose":
            if case .int(let count)? = node.attributes["group"] { groups = count } else { groups = 1 }
            guard groups > 0, weight.shape[0] % groups == 0 else { return nil }
            layout = .inputFirst
            // An output near the edge sees fewer inputs than one in the middle.
            takesForwardFold = false
        case "Gemm":
            let gemm = try? KnownOperators.make(node: node, opsetVersion: graph.opsetVersion) as? GeneralMatrixProduct
            // With a factor on the product or the bias the formulas would need it too; exporters write 1.
            guard let gemm, gemm.alpha == 1, gemm.beta == 1, !gemm.transposesA, weight.shape.rank == 2 else {
                return nil
            }
            layout = gemm.transposesB ? .outputFirst : .inputFirst
            groups = 1
            takesForwardFold = true
        default: return nil
        }
        self.weight = weight
        outputChannels = layout == .outputFirst ? weight.shape[0] : weight.shape[1] * groups
        inputChannels = layout == .outputFirst ? weight.shape[1] * groups : weight.shape[0]
        guard node.inputs.count > 2, !node.inputs[2].isEmpty else {
            bias = nil
            return
        }
        guard let bias = graph.floats(node.inputs[2]), bias.count == outputChannels,
            graph.constants[node.inputs[2]]?.shape.rank == 1
        else { return nil }
        self.bias = bias
    }

    func weight(scaledByOutputChannel scale: [Double]) -> Tensor {
        scaled { output, _ in scale[output] }
    }

    func weight(scaledByInputChannel scale: [Double]) -> Tensor {
        scaled { _, input in scale[input] }
    }

    /// For each output channel, the sum of its weights, each times the value of its input channel.
    func outputSums(weightedByInputChannel values: [Double]) -> [Double] {
        var sums = [Double](repeating: 0, count: outputChannels)
        let weights = weight.elements(as: Float.self)
        forEachKernel { output, input, range in
            for index in range { sums[output] += Double(weights[index]) * values[input] }
        }
        return sums
    }

    private func scaled(_ factor: (Int, Int) -> Double) -> Tensor {
        var weights = weight.elements(as: Float.self)
        forEachKernel { output, input, range in
            let factor = factor(output, input)
            for index in range { weights[index] = Float(Double(weights[index]) * factor) }
        }
        return Tensor(shape: weight.shape, weights)
    }

    /// Calls `body` with output channel, input channel and the range of weights between them.
    private func forEachKernel(_ body: (Int, Int, Range<Int>) -> Void) {
        let (rows, columns) = (weight.shape[0], weight.shape[1])
        let size = weight.shape.dimensions.dropFirst(2).reduce(1, *)
        for row in 0..<rows {
            let group = row / max(rows / groups, 1)
            for column in 0..<columns {
                let start = (row * columns + column) * size
                let other = group * columns + column
                let (output, input) = layout == .outputFirst ? (row, other) : (other, row)
                body(output, input, start..<start + size)
            }
        }
    }
}

extension Window {
    /// Whether no padding is added for any input.
    var padsNothing: Bool {
        switch padding {
        case .valid: true
        case .explicit(let begin, let end): (begin + end).allSatisfy { $0 == 0 }
        case .sameUpper, .sameLower: false
        }
    }
}
