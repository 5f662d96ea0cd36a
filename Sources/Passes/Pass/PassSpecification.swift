import Datasets
import Foundation
import Quantization
import Support
import Tensors

/// The model of a pass, and how samples enter it: what all workloads over samples have in common.
package struct PassSpecification: Codable, Equatable, Sendable {
    /// A fixed computation with the model that the job began with: a forward pass of made-up samples.
    package struct Probe: Codable, Equatable, Sendable {
        /// Digest of the artifact that holds the model.
        package var model: Data
        /// In the order of the graph.
        package var inputs: [Input]
        /// Samples of the pass.
        package var tile: Int

        package init(model: Data, inputs: [Input], tile: Int) {
            self.model = model
            self.inputs = inputs
            self.tile = tile
        }

        /// Tells probes apart.
        package func subject() throws -> SHA256Digest { SHA256Digest(of: try stableJSON()) }
    }

    /// Digest of the artifact that holds the model: an ONNX file with its data inline.
    package var model: Data
    /// In the order of the graph.
    package var inputs: [Input]
    /// Graph output, [samples, ...]; of [samples, classes] the largest element of a row tells the predicted class.
    package var output: String
    /// Encodings of the constants that are replaced by their quantized and dequantized values.
    package var parameters: [String: TensorEncodings]
    /// Samples per forward pass, of the shape that the inputs say; never depends on the number of lanes or workers, since
    /// results may depend on it.
    package var tile: Int
    /// The job's samples per forward pass, which bounds the tiles of all shapes.
    package var batch: Int
    /// Whether samples that cannot be decoded are counted instead of ending the job.
    package var skipsBadSamples: Bool
    /// What workers show beforehand that they compute the same bits with.
    package var probe: Probe?

    package init(
        model: Data, inputs: [Input], output: String, parameters: [String: TensorEncodings], tile: Int,
        batch: Int? = nil, skipsBadSamples: Bool, probe: Probe? = nil
    ) {
        self.model = model
        self.inputs = inputs
        self.output = output
        self.parameters = parameters
        self.tile = tile
        self.batch = batch ?? tile
        self.skipsBadSamples = skipsBadSamples
        self.probe = probe
    }

    /// Whether samples may have different extents.
    package var mayVary: Bool { inputs.contains(where: \.mayVary) }

    /// Elements of the largest sample that the job looked at, all inputs together.
    package var inputElements: Int { inputs.reduce(0) { $0 + $1.dimensions.reduce(1, *) } }

    /// Input shapes of one forward pass of such samples.
    package var tileShapes: [String: Shape] { inputs.shapes(samples: tile) }
}
