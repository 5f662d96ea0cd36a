import Datasets
import Foundation
import Training

/// What all slots of a training have in common.
///
/// The pass's parameters are the encodings of constants that are not trained.
package struct TrainingTask: Codable, Equatable, Sendable {
    package enum Loss: Codable, Equatable, Sendable {
        /// Of labels.
        case crossEntropy
        /// Of the samples' arrays of this name and shape, or of the FP32 model's outputs where nil.
        case meanSquaredError(targets: PassSpecification.Input?)
        /// From the FP32 model.
        /// - Parameter stride: elements between two classes of one place.
        case distillation(temperature: Double, classes: Int, stride: Int)
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

    package var pass: PassSpecification
    package var replica: ReplicaPlan
    package var loss: Loss
    /// Samples of a step, which the loss is the mean over.
    package var globalBatch: Int
    package var seed: UInt64
    package var augmentation: Augmentation?
    package var precision: GradientPrecision

    package init(
        _ pass: PassSpecification, replica: ReplicaPlan, loss: Loss, globalBatch: Int, seed: UInt64,
        augmentation: Augmentation?,
        precision: GradientPrecision
    ) {
        self.pass = pass
        self.replica = replica
        self.loss = loss
        self.globalBatch = globalBatch
        self.seed = seed
        self.augmentation = augmentation
        self.precision = precision
    }

    /// As it travels, in an artifact.
    package func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(self)
    }

    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(TrainingTask.self, from: data)
    }
}
