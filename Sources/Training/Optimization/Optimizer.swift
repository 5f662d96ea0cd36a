import CKernels
import Tensors

/// An optimizer with its state. Elements do not depend on each other, so the optimizer of a slice of the flat vector does
/// to that slice what the optimizer of the whole would.
public struct Optimizer: Equatable, Sendable {
    /// What the optimizer is set to.
    public let settings: OptimizerSettings
    /// Steps taken.
    public private(set) var stepCount: Int
    /// Flat vectors, each as long as the parameters; empty where the rule does not need them. The second is Adam's.
    private var first: [Float]
    private var second: [Float]

    /// - Parameter count: elements of the parameters.
    public init(_ settings: OptimizerSettings, count: Int) {
        self.settings = settings
        stepCount = 0
        let names = settings.stateNames
        first = [Float](repeating: 0, count: names.isEmpty ? 0 : count)
        second = [Float](repeating: 0, count: names.count < 2 ? 0 : count)
    }

    /// An optimizer as it was after some step.
    /// - Parameter state: by name, [count] each.
    /// - Throws: `TrainingError` (`.differentTensors`, `.lengthMismatch`).
    public init(
        _ settings: OptimizerSettings, count: Int, stepCount: Int, state: [String: [Float]]
    ) throws(TrainingError) {
        self.init(settings, count: 0)
        self.stepCount = stepCount
        for (index, name) in settings.stateNames.enumerated() {
            guard let vector = state[name] else { throw TrainingError(.differentTensors, key: name, found: "none") }
            guard vector.count == count else {
                throw TrainingError(.lengthMismatch, key: name, expected: "\(count)", found: "\(vector.count)")
            }
            if index == 0 { first = vector } else { second = vector }
        }
    }

    /// The vectors that the optimizer keeps: `momentum` of SGD with momentum, `first_moment` and `second_moment` of Adam
    /// and AdamW. Before the first step they are zero.
    public var state: [(name: String, vector: [Float])] {
        zip(settings.stateNames, [first, second]).map { ($0, $1) }
    }

    /// Takes one step.
    /// - Parameters:
    ///   - parameters: the flat vector of the parameters.
    ///   - gradients: of the loss with respect to them.
    ///   - learningRate: of this step; see `Schedule`.
    ///   - decayed: so many parameters, the first ones, are subject to weight decay; all where nil.
    public mutating func step(
        parameters: inout [Float], gradients: [Float], learningRate: Double, decayed: Int? = nil
    ) {
        precondition(
            parameters.count == gradients.count, "\(gradients.count) gradients of \(parameters.count) parameters")
        precondition(
            settings.stateNames.isEmpty || first.count == parameters.count,
            "the state of \(first.count) parameters for \(parameters.count)")
        stepCount += 1
        let decayed = settings.weightDecay > 0 ? min(decayed ?? parameters.count, parameters.count) : 0
        parameters.withUnsafeMutableBufferPointer { weights in
            gradients.withUnsafeBufferPointer { gradients in
                first.withUnsafeMutableBufferPointer { first in
                    second.withUnsafeMutableBufferPointer { second in
                        for (range, decay) in [
                            (0..<decayed, settings.weightDecay), (decayed..<weights.count, 0),
                        ] where !range.isEmpty {
                            settings.step(
                                stepCount, range, weights, gradients, first, second, learningRate: learningRate,
                                weightDecay: decay)
                        }
                    }
                }
            }
        }
    }
}

extension OptimizerSettings {
    /// Steps a range of the parameters.
    /// - Parameters:
    ///   - stepCount: the step's number, from 1.
    ///   - first, second: the optimizer's vectors, as long as the parameters or empty.
    fileprivate func step(
        _ stepCount: Int, _ range: Range<Int>, _ weights: UnsafeMutableBufferPointer<Float>,
        _ gradients: UnsafeBufferPointer<Float>, _ first: UnsafeMutableBufferPointer<Float>,
        _ second: UnsafeMutableBufferPointer<Float>, learningRate: Double, weightDecay: Double
    ) {
        func part(_ vector: UnsafeMutableBufferPointer<Float>) -> UnsafeMutablePointer<Float>? {
            vector.isEmpty ? nil : vector.baseAddress.map { $0 + range.lowerBound }
        }
        let ownGradients = UnsafeBufferPointer(rebasing: gradients[range]).baseAddress
        switch rule {
        case .sgd(let momentum, let nesterov):
            qs_sgd_step(
                part(weights), ownGradients, momentum > 0 ? part(first) : nil, range.count, Float(learningRate),
                Float(momentum), Float(weightDecay), nesterov, stepCount == 1)
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            var isDecoupled = false
            if case .adamW = rule { isDecoupled = true }
            // The scalars are computed in double and rounded once, as PyTorch does.
            var scalars = qs_adam(
                first_share: Float(1 - beta1), second_kept: Float(beta2), second_share: Float(1 - beta2),
                rate: Float(learningRate / (1 - power(beta1, stepCount))),
                second_correction: Float((1 - power(beta2, stepCount)).squareRoot()), epsilon: Float(epsilon),
                decay: isDecoupled ? 0 : Float(weightDecay),
                kept: isDecoupled ? Float(1 - learningRate * weightDecay) : 1)
            qs_adam_step(part(weights), ownGradients, part(first), part(second), range.count, &scalars)
        }
    }
}
