import Nodes
import Operators
import TensorFunctions
import Tensors

extension TransposedConvolution: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let operands = inputs.map { $0?.constant?.converted(to: .float64) }
        guard let data = operands[0], let weight = operands[1] else { return nil }
        let (shape, kernel) = (types[0].shape, Array(weight.shape.dimensions.dropFirst(2)))
        let (channels, features, size) = (data.shape[1], weight.shape[1], kernel.reduce(1, *))
        let (plane, places) = (
            data.shape.dimensions.dropFirst(2).reduce(1, *), shape.dimensions.dropFirst(2).reduce(1, *)
        )
        let extents = Array(data.shape.dimensions.dropFirst(2))
        let (_, begin, end) = geometry(input: extents, kernel: kernel)
        // The window slides over the output, and lies where the input's elements are.
        let slide = Window(
            kernel: kernel, strides: extents.indices.map(window.stride),
            dilations: extents.indices.map(window.dilation),
            padding: .explicit(begin: begin, end: end), ceilMode: false)
        let biases = (operands.count > 2 ? operands[2] : nil)?.elements(as: Double.self)
        let (elements, weights) = (data.elements(as: Double.self), weight.elements(as: Double.self))
        var results = (0..<shape.count).map { biases?[$0 / places % shape[1]] ?? 0 }
        slide.forEachPlace(shape, data.shape, kernel: kernel) { place, taps, _ in
            for input in 0..<data.shape[0] * channels {
                let (sample, channel) = (input / channels, input % channels)
                let first = sample * shape[1] + channel / (channels / groups) * features
                let element = elements[input * plane + place]
                for feature in 0..<features {
                    let (row, base) = ((channel * features + feature) * size, (first + feature) * places)
                    for tap in taps { results[base + tap.source] += element * weights[row + tap.element] }
                }
            }
        }
        return [Tensor(shape: shape, results).converted(to: types[0].elementType)]
    }
}
