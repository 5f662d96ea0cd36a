import Foundation
import Support

/// The squared error of a layer's outputs, whatever its weights are, from the moments of its inputs.
struct OutputError: Sendable {
    private let layer: ProductLayer
    private let moments: InputMoments

    init(_ layer: ProductLayer, _ moments: InputMoments) {
        self.layer = layer
        self.moments = moments
    }

    /// E(y - w x) of one output.
    /// - Parameter rows: [outputs][inputs]
    func mean(of rows: [Float], _ output: Int) -> Double {
        let means = moments.means[output / moments.outputsPerGroup]
        return (0..<moments.inputs).reduce(moments.outputMeans[output]) {
            $0 - Double(rows[output * moments.inputs + $1]) * means[$1]
        }
    }

    /// w E(x x') w' - 2 w E(x y): the mean squared error less E(y y), which weights do not change.
    /// - Parameter weights: [inputs]
    func form(_ weights: [Float], _ output: Int) -> Double {
        let (inputs, outputs) = (moments.inputs, moments.outputsPerGroup)
        let group = output / outputs
        var products = [Double](repeating: 0, count: inputs)
        moments.second[group].withUnsafeBufferPointer { second in
            products.withUnsafeMutableBufferPointer { products in
                for row in 0..<inputs where weights[row] != 0 {
                    let weight = Double(weights[row])
                    for column in 0..<inputs { products[column] += weight * second[row * inputs + column] }
                }
            }
        }
        return (0..<inputs).reduce(0.0) { sum, input in
            sum + Double(weights[input])
                * (products[input] - 2 * moments.cross[group][input * outputs + output % outputs])
        }
    }

    /// The signal to noise ratio of all outputs, in dB, biases left out.
    /// - Parameters:
    ///   - rows: [outputs][inputs]
    ///   - freesBias: whether the mean error is taken up by the bias.
    func signalToNoise(of rows: [Float], freesBias: Bool) -> Double {
        let inputs = moments.inputs
        let noise = Array(0..<layer.outputs).concurrentMap { output in
            let weights = Array(rows[output * inputs..<(output + 1) * inputs])
            let mean = freesBias ? self.mean(of: rows, output) : 0
            return max(moments.outputSquares[output] + form(weights, output) - mean * mean, 0)
        }
        return 10 * log10(moments.outputSquares.reduce(0, +) / noise.reduce(0, +))
    }
}
