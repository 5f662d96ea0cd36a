import Datasets
import Foundation
import Training

/// What all slots of a training have in common.
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

    package var replica: ReplicaPlan
    package var loss: Loss
    /// Samples of a step, which the loss is the mean over.
    package var globalBatch: Int
    package var seed: UInt64
    package var augmentation: Augmentation?
    package var precision: GradientPrecision

    package init(
        replica: ReplicaPlan, loss: Loss, globalBatch: Int, seed: UInt64, augmentation: Augmentation?,
        precision: GradientPrecision
    ) {
        self.replica = replica
        self.loss = loss
        self.globalBatch = globalBatch
        self.seed = seed
        self.augmentation = augmentation
        self.precision = precision
    }
}

/// What is told of one optimizer step.
package struct TrainingStep: Codable, Equatable, Sendable {
    /// Digest of the artifact that holds the training's `PassSpecification`.
    package var specification: Data
    /// From 0.
    package var step: Int
    package var epoch: Int
    package var learningRate: Double
    /// Digest of the state before the step.
    package var state: Data
    /// Digest of an artifact that holds this state, for whoever does not have it.
    package var snapshot: Data?
    /// Whether workers keep what their slots contribute, reduce it among themselves and take the step; else the gradient
    /// is a part of the result.
    package var isReduced: Bool

    package init(
        specification: Data, step: Int, epoch: Int, learningRate: Double, state: Data, snapshot: Data?, isReduced: Bool
    ) {
        self.specification = specification
        self.step = step
        self.epoch = epoch
        self.learningRate = learningRate
        self.state = state
        self.snapshot = snapshot
        self.isReduced = isReduced
    }
}
