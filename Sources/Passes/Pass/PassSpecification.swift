import Datasets
import Foundation
import Quantization
import Support
import Tensors

/// The model of a pass, and how samples enter it: what all workloads over samples have in common.
package struct PassSpecification: Codable, Equatable, Sendable {
    /// What the samples become before they enter the model.
    package struct Input: Codable, Equatable, Sendable {
        /// Of the graph's input.
        package var name: String
        /// Extents of one sample, without the batch axis.
        package var dimensions: [Int]
        /// For image samples; nil where samples hold arrays.
        package var preprocessing: ImagePreprocessing?

        package init(name: String, dimensions: [Int], preprocessing: ImagePreprocessing?) {
            self.name = name
            self.dimensions = dimensions
            self.preprocessing = preprocessing
        }
    }

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
    /// Graph output, [samples, classes...]: the largest element of a row tells the predicted class.
    package var output: String
    /// Encodings of the constants that are replaced by their quantized and dequantized values.
    package var parameters: [String: TensorEncodings]
    /// Samples per forward pass; never depends on the number of lanes or workers, since results may depend on it.
    package var tile: Int
    /// Whether samples that cannot be decoded are counted instead of ending the job.
    package var skipsBadSamples: Bool
    /// What workers show beforehand that they compute the same bits with.
    package var probe: Probe?

    package init(
        model: Data, inputs: [Input], output: String, parameters: [String: TensorEncodings], tile: Int,
        skipsBadSamples: Bool, probe: Probe? = nil
    ) {
        self.model = model
        self.inputs = inputs
        self.output = output
        self.parameters = parameters
        self.tile = tile
        self.skipsBadSamples = skipsBadSamples
        self.probe = probe
    }

    /// Elements of one sample, all inputs together.
    package var inputElements: Int { inputs.reduce(0) { $0 + $1.dimensions.reduce(1, *) } }

    /// Input shapes of one forward pass.
    package var tileShapes: [String: Shape] { inputs.shapes(samples: tile) }
}

extension [PassSpecification.Input] {
    /// Shapes of the graph's inputs for a number of samples, [samples, dimensions...] by name.
    package func shapes(samples: Int) -> [String: Shape] {
        Dictionary(uniqueKeysWithValues: map { ($0.name, Shape([samples] + $0.dimensions)) })
    }
}
