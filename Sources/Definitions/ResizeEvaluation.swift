import Nodes
import Operators
import TensorFunctions
import Tensors

extension Resize: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let data = inputs[0]?.constant else { return nil }
        let resampled = data.converted(to: .float64).resampled(try resamplings(inputs: inputs), fill: Double(fill))
        return [resampled.reshaped(types[0].shape).converted(to: types[0].elementType)]
    }

    /// The axes that change, in the order in which they are resampled, and how. Those that shrink come first: so nothing in
    /// between is larger than both input and output.
    package func resamplings(inputs: [OperatorInput?]) throws -> [(axis: Int, resampling: AxisResampling)] {
        let isCropping = transformation == "tf_crop_and_resize"
        let axes = try resampledAxes(inputs: inputs).filter { $0.input != $0.output || $0.scale != 1 || isCropping }
        return (axes.filter { $0.output < $0.input } + axes.filter { $0.output >= $0.input }).map { axis in
            (
                axis: axis.axis,
                resampling: AxisResampling(
                    input: axis.input, places: (0..<axis.output).map { place(of: $0, axis) }, scale: axis.scale,
                    kernel: kernel, antialiases: antialiases, excludesOutside: excludesOutside, extrapolates: isCropping
                )
            )
        }
    }

    /// Where an output index lies in the input, by the formulas of the ONNX specification.
    private func place(of index: Int, _ axis: Axis) -> Double {
        let x = Double(index)
        switch transformation {
        case "align_corners":
            // Of the size that the scale asks for, which may be none that a tensor can have.
            let size = axis.scale * Double(axis.input)
            return axis.output == 1 ? 0 : x * Double(axis.input - 1) / (size - 1)
        case "asymmetric": return x / axis.scale
        case "pytorch_half_pixel": return axis.output == 1 ? 0 : (x + 0.5) / axis.scale - 0.5
        case "tf_half_pixel_for_nn": return (x + 0.5) / axis.scale
        case "half_pixel_symmetric":
            // The scale that the rounded size has may be another than the one that was asked for.
            let adjusted = Double(axis.output) / (axis.scale * Double(axis.input))
            let center = Double(axis.input) / 2
            return center * (1 - adjusted) + (x + 0.5) / axis.scale - 0.5
        case "tf_crop_and_resize":
            let (start, end, last) = (axis.region.start, axis.region.end, Double(axis.input - 1))
            guard axis.output > 1 else { return 0.5 * (start + end) * last }
            return start * last + x * (end - start) * last / Double(axis.output - 1)
        default: return (x + 0.5) / axis.scale - 0.5
        }
    }
}
