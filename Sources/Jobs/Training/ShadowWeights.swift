import Foundation
import Quantization
import Tensors
import Training

/// The weights in full resolution that training moves, with their optimizer. What workers compute with are these, rounded to
/// the grids of their encodings.
package struct ShadowWeights: Sendable {
    package let layout: ParameterLayout
    /// All elements, one tensor behind the other.
    package private(set) var values: [Float]
    private var optimizer: Optimizer

    package init(_ layout: ParameterLayout, of constants: [String: Tensor], _ settings: OptimizerSettings) throws {
        self.layout = layout
        values = try layout.vector(of: constants)
        optimizer = Optimizer(settings, count: layout.count)
    }

    package init(_ layout: ParameterLayout, from checkpoint: Checkpoint, _ settings: OptimizerSettings) throws {
        self.layout = layout
        (values, optimizer) = try checkpoint.restored(layout: layout, settings: settings)
    }

    package var tensors: [(name: String, tensor: Tensor)] { layout.tensors(of: values) }

    /// float32, little-endian.
    package var bytes: Data { values.withUnsafeBytes { Data($0) } }

    package func checkpoint(_ manifest: Checkpoint.Manifest) -> Checkpoint {
        Checkpoint(manifest, layout: layout, parameters: values, optimizer: optimizer)
    }

    /// Takes the optimizer's step.
    /// - Parameters:
    ///   - gradient: of the loss with respect to the rounded weights.
    ///   - encodings: that they were rounded with.
    /// - Throws: `TrainingError(.notFinite)` with the first weight that a step too long has made infinite.
    package mutating func step(
        gradient: [Float], encodings: [String: TensorEncodings], learningRate: Double
    ) throws {
        optimizer.step(
            parameters: &values, gradients: try masked(gradient, encodings: encodings), learningRate: learningRate)
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw TrainingError(.notFinite, index: index, found: "a weight of \(values[index])").located(in: layout)
        }
    }

    /// The straight-through estimator for the weights: no gradient where a shadow weight is clipped.
    package func masked(_ gradient: [Float], encodings: [String: TensorEncodings]) throws -> [Float] {
        var gradient = gradient
        var mask = GradientMask()
        for entry in layout.entries {
            guard let encoding = encodings[entry.name] else { continue }
            let estimator = try StraightThrough(encoding, shape: entry.shape)
            var simulated = Array(values[entry.range])
            simulated.withUnsafeMutableBufferPointer { estimator.forward(inPlace: $0, recording: &mask) }
            gradient.withUnsafeMutableBufferPointer { gradient in
                estimator.backward(
                    inPlace: UnsafeMutableBufferPointer(rebasing: gradient[entry.range]), mask: mask)
            }
        }
        return gradient
    }
}
