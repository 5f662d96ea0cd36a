import Datasets
import Foundation
import Quantization

/// What the slots of one optimizer step have in common.
package struct TrainingStep: Codable, Equatable, Sendable {
    package enum Loss: String, Codable, Sendable {
        case crossEntropy
    }

    /// Encodings of values that change with the sample.
    package var activations: [String: TensorEncodings]
    /// Trained constants, in the order in which their elements lie one behind the other in weights and gradients.
    package var trained: [String]
    /// Digest of the artifact that holds the shadow weights: float32, little-endian.
    package var weights: Data
    package var loss: Loss
    /// Samples of the step, which the loss is the mean over.
    package var globalBatch: Int
    package var seed: UInt64
    package var epoch: Int
    package var augmentation: Augmentation?

    package init(
        activations: [String: TensorEncodings], trained: [String], weights: Data, loss: Loss, globalBatch: Int,
        seed: UInt64, epoch: Int, augmentation: Augmentation?
    ) {
        self.activations = activations
        self.trained = trained
        self.weights = weights
        self.loss = loss
        self.globalBatch = globalBatch
        self.seed = seed
        self.epoch = epoch
        self.augmentation = augmentation
    }
}
