import Graph
import Nodes
import Operators
import Tensors

/// A Conv, ConvTranspose, Gemm or MatMul with constant float32 weight and bias, seen as a map from input to output channels.
struct LinearLayer {
    let outputChannels: Int
    let inputChannels: Int
    /// Whether a change of the input by a constant for each channel is a change of the bias: true where nothing is padded.
    let absorbsShifts: Bool
    /// [output channels]; nil where the layer has none.
    let bias: [Float]?
    /// Parts of the channels that do not see each other.
    let groups: Int
    private var weight: Tensor
    private let layout: Layout

    private enum Layout {
        /// [output, input / groups, ...]
        case outputFirst
        /// [input, output / groups, ...]
        case inputFirst
    }

    /// Whether a normalization in front can be folded. (Into groups the reference folds none.)
    var takesForwardFold: Bool { absorbsShifts && groups == 1 }

    /// Whether each output channel sees the input channel of its own number alone.
    var isDepthwise: Bool { groups > 1 && groups == inputChannels && groups == outputChannels }

    /// A Conv, ConvTranspose or Gemm; nil where the node is none.
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
            absorbsShifts = conv.window.padsNothing
        case "ConvTranspose":
            if case .int(let count)? = node.attributes["group"] { groups = count } else { groups = 1 }
            guard groups > 0, weight.shape[0] % groups == 0 else { return nil }
            layout = .inputFirst
            // An output near the edge sees fewer inputs than one in the middle.
            absorbsShifts = false
        case "Gemm":
            let gemm = try? KnownOperators.make(node: node, opsetVersion: graph.opsetVersion) as? GeneralMatrixProduct
            // With a factor on the product or the bias the formulas would need it too; exporters write 1.
            guard let gemm, gemm.alpha == 1, gemm.beta == 1, !gemm.transposesA, weight.shape.rank == 2 else {
                return nil
            }
            layout = gemm.transposesB ? .outputFirst : .inputFirst
            groups = 1
            absorbsShifts = true
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

    /// A MatMul with a constant matrix on the right, and what is added behind it; nil where the node is none.
    /// - Parameter bias: name of a constant, [output channels].
    init?(product node: Node, bias: String?, _ graph: Graph) {
        guard node.domain.isEmpty, node.opType == "MatMul", node.inputs.count == 2,
            let weight = graph.constants[node.inputs[1]], weight.elementType == .float32, weight.shape.rank == 2
        else { return nil }
        self.weight = weight
        (layout, groups, absorbsShifts) = (.inputFirst, 1, true)
        (inputChannels, outputChannels) = (weight.shape[0], weight.shape[1])
        guard let bias else {
            self.bias = nil
            return
        }
        guard let values = graph.floats(bias), values.count == outputChannels, graph.constants[bias]?.shape.rank == 1
        else { return nil }
        self.bias = values
    }

    /// The same layer with another weight of the same shape; nil where there is none.
    func replacingWeight(_ weight: Tensor?) -> LinearLayer? {
        guard let weight, weight.shape == self.weight.shape, weight.elementType == .float32 else { return nil }
        var replaced = self
        replaced.weight = weight
        return replaced
    }

    func weight(scaledByOutputChannel scale: [Double]) -> Tensor {
        scaled { output, _ in scale[output] }
    }

    func weight(scaledByInputChannel scale: [Double]) -> Tensor {
        scaled { _, input in scale[input] }
    }

    func weight(scaledByOutputChannel output: [Double], inputChannel input: [Double]) -> Tensor {
        scaled { output[$0] * input[$1] }
    }

    /// Calls `body` with output channel, input channel and the largest magnitude of the weights between them.
    func forEachMagnitude(_ body: (Int, Int, Float) -> Void) {
        weight.elements(as: Float.self).withUnsafeBufferPointer { weights in
            forEachKernel { output, input, range in
                var largest: Float = 0
                for index in range where weights[index].magnitude > largest { largest = weights[index].magnitude }
                body(output, input, largest)
            }
        }
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
