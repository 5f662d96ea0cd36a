import Cluster
import Datasets
import Foundation
import Quantization
import Support
import Tensors

/// What the shards of one pass have in common: sent once to every worker that takes part. With the model and a shard's
/// samples it determines the shard's result to the last bit.
package struct PassSpecification: Codable, Equatable, Sendable {
    package enum Task: Codable, Equatable, Sendable {
        /// Observes activations in FP32 while parameters are quantized.
        case calibration(observed: [String])
        /// Counts correct predictions; activations are quantized where encodings are given.
        case evaluation(activations: [String: TensorEncodings])
        /// Compares forms of the model in which some quantizers are on with the FP32 model.
        case analysis(AnalysisTask)
        /// Finds the statistics of batch norms over batches, which shards are; values are quantized where encodings are
        /// given.
        case statistics(of: [BatchNormPlan.Normalization], activations: [String: TensorEncodings])
        /// Computes gradients of trained constants: what the steps of a training have in common, see `TrainingStep`.
        case training(TrainingTask)
    }

    /// What the samples become before they enter the model.
    package struct Input: Codable, Equatable, Sendable {
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

    package var task: Task
    /// Digest of the artifact that holds the model: an ONNX file with its data inline.
    package var model: Data
    package var inputs: [Input]
    /// Graph output, [samples, classes...]: the largest element of a row tells the predicted class.
    package var output: String
    /// Encodings of the constants that are replaced by their quantized and dequantized values.
    package var parameters: [String: TensorEncodings]
    /// Samples per forward pass; never depends on the number of lanes or workers, since results may depend on it.
    package var tile: Int
    /// Whether samples that cannot be decoded are counted instead of ending the job.
    package var skipsBadSamples: Bool

    package func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(self)
    }

    /// SHA-256: of equal digests, passes over the same samples have equal results.
    package func digest() throws -> Data { SHA256Digest(of: try encoded()).bytes }

    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(PassSpecification.self, from: data)
    }

    package init(
        task: Task, model: Data, inputs: [Input], output: String, parameters: [String: TensorEncodings], tile: Int,
        skipsBadSamples: Bool
    ) {
        self.task = task
        self.model = model
        self.inputs = inputs
        self.output = output
        self.parameters = parameters
        self.tile = tile
        self.skipsBadSamples = skipsBadSamples
    }
}
