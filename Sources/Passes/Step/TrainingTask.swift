import Datasets
import Foundation
import Support
import Training

/// What all slots of a training have in common.
///
/// The pass's parameters are the encodings of constants that are not trained.
package struct TrainingTask: Codable, Equatable, Sendable {
    /// What training makes small.
    package enum Loss: Codable, Equatable, Sendable {
        /// Of labels.
        case crossEntropy
        /// Of the samples' arrays of this name and shape, or of the FP32 model's outputs where nil.
        case meanSquaredError(targets: PassSpecification.Input?)
        /// From the FP32 model.
        /// - Parameter axis: of the output, along which classes lie; from the front.
        case distillation(temperature: Double, axis: Int)
        /// An output of the model, of one element: the mean loss of the samples that it is given.
        case output(String)

        /// Whether the FP32 model computes what the outputs are compared with.
        package var needsTeacher: Bool {
            switch self {
            case .crossEntropy, .output: false
            case .meanSquaredError(let targets): targets == nil
            case .distillation: true
            }
        }

        /// What the outputs are compared with, where it is an array of the samples.
        package var targets: PassSpecification.Input? {
            if case .meanSquaredError(let targets) = self { targets } else { nil }
        }
    }

    /// The model as it is before training, and the samples' way into it.
    package var pass: PassSpecification
    /// What is trained, and how it moves.
    package var replica: ReplicaPlan
    /// What outputs are compared with, and how.
    package var loss: Loss
    /// Samples of a step, which the loss is the mean over.
    package var globalBatch: Int
    /// Samples of a slot; of the largest, where they differ.
    package var slotBatch: Int
    /// What augmentation follows from.
    package var seed: UInt64
    /// Nil where images are taken as they are.
    package var augmentation: Augmentation?
    /// Bits that gradients are exchanged in.
    package var precision: GradientPrecision

    package init(
        _ pass: PassSpecification, replica: ReplicaPlan, loss: Loss, globalBatch: Int, slotBatch: Int, seed: UInt64,
        augmentation: Augmentation?,
        precision: GradientPrecision
    ) {
        self.pass = pass
        self.replica = replica
        self.loss = loss
        self.globalBatch = globalBatch
        self.slotBatch = slotBatch
        self.seed = seed
        self.augmentation = augmentation
        self.precision = precision
    }

    /// As it travels, in an artifact.
    package func encoded() throws -> Data { try stableJSON() }

    /// - Throws: `DecodingError`.
    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(TrainingTask.self, from: data)
    }
}
