import Foundation
import Quantization
import Simulation
import Tensors
import Training

/// What the replicas of a training are made of and how they move: the same for all steps and all workers.
package struct ReplicaPlan: Codable, Equatable, Sendable {
    /// A trained constant.
    package struct Parameter: Codable, Equatable, Sendable {
        /// Of the constant in the graph.
        package var name: String
        /// Of the constant.
        package var dimensions: [Int]
        /// Nil where it is not rounded.
        package var quantizer: ParameterQuantizer?

        package init(name: String, dimensions: [Int], quantizer: ParameterQuantizer?) {
            self.name = name
            self.dimensions = dimensions
            self.quantizer = quantizer
        }

        /// `dimensions` as a shape.
        package var shape: Shape { Shape(dimensions) }
    }

    /// How a trained constant is rounded.
    package struct ParameterQuantizer: Codable, Equatable, Sendable {
        /// What its encodings are computed by, where they follow the weights.
        package var settings: QuantizerSettings
        /// One encoding per index of this axis; nil for one encoding.
        package var channelAxis: Int?
        /// How channels are cut into blocks; nil where they are not.
        package var blocks: Blocks?
        /// Of the weights before training.
        package var start: TensorEncodings
        /// Whether they stay so.
        package var isFrozen: Bool

        package init(
            settings: QuantizerSettings, channelAxis: Int?, blocks: Blocks? = nil, start: TensorEncodings,
            isFrozen: Bool = false
        ) {
            self.settings = settings
            self.channelAxis = channelAxis
            self.blocks = blocks
            self.start = start
            self.isFrozen = isFrozen
        }
    }

    /// Activations that share a quantizer.
    package struct Activation: Codable, Equatable, Sendable {
        /// Of the group.
        package var name: String
        /// Those that the quantizer rounds.
        package var tensors: [String]
        /// As calibrated.
        package var start: TensorEncodings
        /// Whether its range is trained.
        package var isLearned: Bool

        package init(name: String, tensors: [String], start: TensorEncodings, isLearned: Bool) {
            self.name = name
            self.tensors = tensors
            self.start = start
            self.isLearned = isLearned
        }
    }

    /// In the order in which the backward pass finishes their gradients.
    package var parameters: [Parameter]
    /// In the order of their names.
    package var activations: [Activation]
    /// How values move along their gradients.
    package var optimizer: OptimizerSettings
    /// Whether ranges are trained.
    package var ranges: RangeMode
    /// Where ranges are static.
    package var weightEncodings: WeightEncodingMode
    /// The norm that gradients are scaled down to where theirs is larger.
    package var clipNorm: Double?
    /// The batch norms that compute with the statistics of their slot; nil where none does.
    package var batchNorms: BatchNormPlan?

    package init(
        parameters: [Parameter], activations: [Activation], optimizer: OptimizerSettings, ranges: RangeMode,
        weightEncodings: WeightEncodingMode, clipNorm: Double?, batchNorms: BatchNormPlan? = nil
    ) {
        self.parameters = parameters
        self.activations = activations
        self.optimizer = optimizer
        self.ranges = ranges
        self.weightEncodings = weightEncodings
        self.clipNorm = clipNorm
        self.batchNorms = batchNorms
    }

    /// How layouts and checkpoints call the range of an activation.
    package static func activationKey(_ group: String) -> String { "activation_ranges/\(group)" }
    /// How layouts call the `gap`.
    package static let gapKey = "batch_norms/gap"
    /// How layouts and checkpoints call the ranges of a parameter.
    package static func parameterKey(_ name: String) -> String { "parameter_ranges/\(name)" }

    /// Activations whose ranges are trained.
    package var learnedActivations: [Activation] { activations.filter { ranges == .learned && $0.isLearned } }

    /// Whether the ranges of a parameter are trained.
    package func isLearned(_ parameter: Parameter) -> Bool {
        ranges == .learned && parameter.quantizer?.isFrozen == false
    }

    /// What slots contribute to: the trained constants, then the ranges (min, max) of activations, whose gradients they have,
    /// then the running means and variances of batch norms.
    package func gradientLayout() throws -> ParameterLayout { try ParameterLayout(slotEntries) }

    /// The whole state: what slots contribute to, then the ranges of parameters, whose gradients follow from those of the
    /// parameters.
    package func stateLayout() throws -> ParameterLayout {
        try ParameterLayout(
            slotEntries
                + parameters.compactMap { parameter in
                    guard isLearned(parameter), let quantizer = parameter.quantizer else { return nil }
                    return (Self.parameterKey(parameter.name), [quantizer.start.encodings.count, 2])
                })
    }

    private var slotEntries: [(name: String, shape: Shape)] {
        var entries: [(name: String, shape: Shape)] = parameters.map { ($0.name, $0.shape) }
        entries += learnedActivations.map { (Self.activationKey($0.name), [1, 2]) }
        guard let batchNorms else { return entries }
        if let gap { entries.append((Self.gapKey, [gap])) }
        return entries + batchNorms.entries
    }

    /// Elements before the running values, always zero: these are of another magnitude than gradients, and would spoil those
    /// that are rounded in one block with them.
    package var gap: Int? {
        let count = parameters.reduce(2 * learnedActivations.count) { $0 + $1.shape.count }
        let rest = count % SlotRounding.block
        return batchNorms == nil || rest == 0 ? nil : SlotRounding.block - rest
    }
}
