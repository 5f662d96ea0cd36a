import Foundation
import Tensors
import TestSupport

/// The demo's network trained on digits for a few steps: W4A8, global batches of 32 samples in 8 slots.
struct TrainingJob {
    static let samples = TestJob.repository.appendingPathComponent("Sources/App/Demo/training.npz")

    static let evaluationSamples = TestJob.repository.appendingPathComponent("Sources/App/Demo/evaluation.npz")

    let folder: URL
    var file: URL { folder.appendingPathComponent("job.yml") }

    /// - Parameters:
    ///   - samples: an epoch.
    ///   - divideBy: the learning rate, after each epoch.
    ///   - config: where quantizers are.
    ///   - evaluation: digits to evaluate with, if any.
    ///   - instructionSet: of all workers.
    ///   - settings: further keys of the section `training`.
    init(
        in folder: URL, steps: Int = 50, samples: Int = 160, learningRate: Double = 0.001, divideBy: Double = 1.1,
        model: URL = TestJob.model, training path: String = Self.samples.path, globalBatch: Int = 32,
        config: String = "default", evaluation: Int? = nil, instructionSet: String = "auto",
        settings: [String: String] = [:]
    ) throws {
        self.folder = folder
        let evaluation = evaluation.map {
            "\n  evaluation: {path: \(Self.evaluationSamples.path), samples: \($0), order: first}"
        }
        try """
        model: \(model.path)
        instruction_set: \(instructionSet)
        dataset:
          calibration: {path: \(Self.samples.path), samples: 100, order: first}
          training: {path: \(path), samples: \(samples), order: first}\(evaluation ?? "")
        quantization: {config: \(config), scheme: tf_enhanced, activation_bitwidth: 8, parameter_bitwidth: 4}
        training:
          steps: \(steps)
          optimizer: {name: sgd, learning_rate: \(learningRate), momentum: 0.9}
          schedule: {divide_by: \(divideBy), every_epochs: 1}
          global_batch: \(globalBatch)
          slots: 8
          seed: 3
        \(settings.map { "  \($0): \($1)" }.sorted().joined(separator: "\n"))
        """.write(to: file, atomically: true, encoding: .utf8)
    }
}
