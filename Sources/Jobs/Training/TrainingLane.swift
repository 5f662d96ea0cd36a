import Cluster
import Execution
import Foundation
import Quantization
import Tensors
import Training

/// The weights of one optimizer step as the lanes of a worker share them.
struct StepWeights: Sendable {
    /// Trained constants in order, quantized and dequantized where they have encodings.
    let simulated: [(name: String, tensor: Tensor)]
    /// Elements of all of them.
    let count: Int

    /// - Parameters:
    ///   - shadow: the artifact's bytes.
    ///   - constants: the model's, for their shapes.
    init(
        _ shadow: Data, of trained: [String], shapes constants: [String: Tensor],
        encodings: [String: TensorEncodings]
    ) throws {
        var offset = 0
        var tensors: [(String, Tensor)] = []
        for name in trained {
            guard let shape = constants[name]?.shape, offset + shape.count * 4 <= shadow.count else {
                throw QuantizationError(.lengthMismatch, key: name, found: "\(shadow.count) bytes")
            }
            let tensor = Tensor(shape: shape) { (place: UnsafeMutableBufferPointer<Float>) in
                let start = shadow.startIndex + offset
                _ = shadow.copyBytes(to: UnsafeMutableRawBufferPointer(place), from: start..<start + shape.count * 4)
            }
            offset += shape.count * 4
            let quantizer = try encodings[name].map { try FakeQuantizer($0, shape: shape) }
            tensors.append((name, quantizer?.applied(to: tensor) ?? tensor))
        }
        simulated = tensors
        count = offset / 4
    }
}

/// Computes gradients of slots. Belongs to one thread, which keeps the plan from step to step.
final class TrainingLane: ShardLane {
    private let model: SharedModel
    private let step: TrainingStep
    private let weights: StepWeights
    private let output: String
    private let estimators: [String: StraightThrough]
    private var masks: [String: GradientMask]

    init(_ model: SharedModel, _ step: TrainingStep, _ weights: StepWeights, output: String) throws {
        self.model = model
        self.step = step
        self.weights = weights
        self.output = output
        estimators = try step.activations.mapValues { try StraightThrough($0) }
        masks = estimators.mapValues { _ in GradientMask() }
    }

    func compute(_ batch: SampleBatch) throws -> Data {
        guard batch.count > 0 else {
            return SlotResult(
                samples: 0, skipped: batch.skipped, correct: 0,
                lossAndGradient: [Float](repeating: 0, count: weights.count + 1)
            ).encoded()
        }
        let plan = try TrainingPlans.ofThisThread.plan(
            model, inputShapes: batch.inputs.mapValues(\.shape), trained: step.trained,
            taps: Set(estimators.keys))
        var loss = 0.0
        var correct = 0
        let parameters = Dictionary(uniqueKeysWithValues: weights.simulated.map { ($0.name, $0.tensor) })
        try plan.run(
            feed: { name, place in batch.inputs[name]?.copyAsFloats(into: place) },
            parameter: { name, place in parameters[name]?.copyAsFloats(into: place) },
            tap: { tap in
                estimators[tap.name]?.forward(inPlace: tap.elements, recording: &masks[tap.name, default: .init()])
            },
            loss: { plan in
                let scores = plan.output(output)
                loss = try Training.Loss.crossEntropy(
                    outputs: scores, labels: batch.labels, denominator: Double(step.globalBatch),
                    gradient: plan.outputGradient(output))
                correct = Self.correct(scores, batch.labels)
            },
            gradientTap: { tap in
                guard let mask = masks[tap.name] else { return }
                estimators[tap.name]?.backward(inPlace: tap.elements, mask: mask)
            })
        var lossAndGradient: [Float] = [Float(loss)]
        lossAndGradient.reserveCapacity(weights.count + 1)
        for name in step.trained { lossAndGradient += plan.gradient(name) }
        return SlotResult(
            samples: batch.count, skipped: batch.skipped, correct: correct, lossAndGradient: lossAndGradient
        ).encoded()
    }

    private static func correct(_ scores: UnsafeBufferPointer<Float>, _ labels: [Int]) -> Int {
        var result = EvaluationResult()
        let classes = scores.count / labels.count
        for (row, label) in labels.enumerated() {
            result.count(
                scores: UnsafeBufferPointer(rebasing: scores[row * classes..<(row + 1) * classes]), label: label)
        }
        return result.top1
    }
}

/// The training plans of a thread, which outlive a step: compiling one takes longer than a step.
private final class TrainingPlans {
    private struct Key: Hashable {
        let model: ObjectIdentifier
        let inputShapes: [String: Shape]
    }

    private var plans: [Key: TrainingPlan] = [:]

    static var ofThisThread: TrainingPlans {
        let key = "quantsim.trainingPlans"
        if let plans = Thread.current.threadDictionary[key] as? TrainingPlans { return plans }
        let plans = TrainingPlans()
        Thread.current.threadDictionary[key] = plans
        return plans
    }

    func plan(
        _ model: SharedModel, inputShapes: [String: Shape], trained: [String], taps: Set<String>
    ) throws -> TrainingPlan {
        let key = Key(model: ObjectIdentifier(model), inputShapes: inputShapes)
        if let plan = plans[key] { return plan }
        // A slot has few sizes; those of a model that is no longer used go.
        plans = plans.filter { $0.key.model == key.model }
        let plan = try TrainingPlan(model.specialized(inputShapes), parameters: Set(trained), taps: taps)
        plans[key] = plan
        return plan
    }
}
