import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

extension DiscreteFourierTransform: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        guard let shape = derivative.inputs[0]?.type.shape else { return [:] }
        guard isShortTime else {
            let (axis, form) = try form(inputs: derivative.inputs)
            let found = FourierTransform.gradient(
                derivative.gradient(), axis: axis, form, from: derivative.types[0].shape, to: shape)
            return [0: derivative.result(found, of: 0)]
        }
        let (starts, form) = try frames(inputs: derivative.inputs)
        let (length, parts, extent) = (form.length, shape[2], shape[1])
        let slopes = FourierTransform.gradient(
            derivative.gradient(), axis: 2, form, from: derivative.types[0].shape,
            to: [shape[0], starts.count, length, parts])
        let (elements, window) = (derivative.elements(0), derivative.elements(2))
        var signal = [Double](repeating: 0, count: elements.count)
        var weights = [Double](repeating: 0, count: window.count)
        for (index, slope) in slopes.enumerated() {
            let (row, place) = (index / parts / length, index / parts % length)
            let number = (row / starts.count * extent + starts[row % starts.count] + place) * parts + index % parts
            signal[number] += slope * (window.isEmpty ? 1 : window[place])
            if !window.isEmpty { weights[place] += slope * elements[number] }
        }
        let result = [0: derivative.result(signal, of: 0)]
        return window.isEmpty ? result : result.merging([2: derivative.result(weights, of: 2)]) { $1 }
    }
}
