import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

extension Pooling: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) -> [Int: Tensor] {
        guard let data = derivative.value(0) else { return [:] }
        let (shape, slopes) = (derivative.types[0].shape, derivative.gradient())
        var result = [Double](repeating: 0, count: data.count)
        if kind == .max {
            for (source, slope) in zip(window.maxima(data, shape) ?? [], slopes) where source >= 0 {
                result[source] += slope
            }
        } else {
            window.forEachElement(data.shape, shape) { source, output, seen, covered in
                result[source] += slopes[output] / Double(countsPadding ? covered : seen)
            }
        }
        return [0: derivative.result(result, of: 0)]
    }
}

extension NormPooling: DifferentiableDefinition {
    /// Of (sum of |x|^p)^(1/p): sign(x) (|x| / norm)^(p - 1).
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        let wide = derivative.types.map { ValueType(.float64, $0.shape) }
        guard let data = derivative.value(0), let norms = try evaluate(inputs: derivative.inputs, types: wide)?.first
        else { return [:] }
        let (elements, slopes) = (derivative.elements(0), derivative.gradient())
        let values = norms.elements(as: Double.self)
        var result = [Double](repeating: 0, count: elements.count)
        window(on: data.shape).forEachElement(data.shape, norms.shape) { source, output, _, _ in
            guard values[output] > 0, elements[source] != 0 else { return }
            let part = power(elements[source].magnitude / values[output], order - 1)
            result[source] += (elements[source] < 0 ? -part : part) * slopes[output]
        }
        return [0: derivative.result(result, of: 0)]
    }
}

extension Window {
    /// Calls `body` with each element that an output is made of: its number, the output's, and how many elements and how many
    /// places of input and padding the output's window covers.
    fileprivate func forEachElement(_ input: Shape, _ output: Shape, _ body: (Int, Int, Int, Int) -> Void) {
        let plane = input.dimensions.dropFirst(2).reduce(1, *)
        let places = output.dimensions.dropFirst(2).reduce(1, *)
        forEachPlace(input, output, kernel: kernel ?? []) { place, taps, covered in
            for channel in 0..<output.count / places {
                for tap in taps { body(channel * plane + tap.source, channel * places + place, taps.count, covered) }
            }
        }
    }
}
