import Foundation
import JobFile
import TestSupport
import Testing
import Training

/// The training section of a job file: what may be left out, and what becomes of what is there.
@Suite struct TrainingJobFileTests {
    private func training(_ lines: String) throws -> JobFile.Training {
        let text = "\(SmallJob.minimal)\n  training: {path: x}\ntraining: {\(lines)}"
        return try #require(try JobFile(decoding: text, file: "job.yml").training)
    }

    @Test func everythingHasADefault() throws {
        let training = try training("")
        #expect(training.duration == .epochs(15))
        #expect(training.loss == .crossEntropy)
        #expect(training.optimizer.rule == .sgd(momentum: 0.9, nesterov: false))
        #expect(training.optimizer.learningRate == 1e-4)
        #expect(training.optimizer.weightDecay == 0)
        #expect(training.schedule.decay == .divide(by: 10, everyEpochs: 5))
        #expect(training.schedule.warmUpSteps == 0)
        #expect(training.clipNorm == nil)
        #expect((training.globalBatch, training.slots, training.seed) == (128, 16, 0))
    }

    /// A training too short for the usual decay has none.
    @Test(arguments: [
        ("epochs: 5", Schedule.Decay.Name.constant), ("epochs: 6", .divide), ("steps: 100000", .constant),
        ("epochs: 2, schedule: {every_epochs: 1}", .divide), ("epochs: 9, schedule: {warm_up_steps: 3}", .divide),
        ("steps: 9, schedule: {warm_up_steps: 3}", .constant), ("epochs: 15, schedule: constant", .constant),
        ("epochs: 1, schedule: cosine", .cosine), ("epochs: 1, schedule: {decay: cosine, warm_up_steps: 3}", .cosine),
    ])
    func decays(_ lines: String, _ decay: Schedule.Decay.Name) throws {
        #expect(try training(lines).schedule.decay.name == decay)
    }

    /// A batch and slots that are not both named fit each other and the samples.
    @Test(
        arguments: [
            (nil, nil, Int.max, 128, 16), (nil, nil, 100, 96, 16), (nil, nil, 10, 10, 10), (nil, nil, 1, 1, 1),
            (nil, 12, .max, 120, 12), (nil, 12, 30, 24, 12), (nil, 200, .max, 200, 200), (100, nil, .max, 100, 10),
            (8, nil, .max, 8, 8), (127, nil, .max, 127, 1), (96, nil, .max, 96, 16), (30, 3, .max, 30, 3),
        ] as [(Int?, Int?, Int, Int, Int)])
    func batches(_ batch: Int?, _ slots: Int?, _ samples: Int, _ expectedBatch: Int, _ expectedSlots: Int) {
        let found = JobFile.Training.batch(globalBatch: batch, slots: slots, samples: samples)
        #expect(found == (expectedBatch, expectedSlots))
    }

    @Test(arguments: [
        ("sgd", "{}", OptimizerSettings.Rule.sgd(momentum: 0.9, nesterov: false), 0.0),
        ("sgd", "{momentum: 0, weight_decay: 0.01}", .sgd(momentum: 0, nesterov: false), 0.01),
        ("sgd", "{nesterov: true, momentum: 0.5}", .sgd(momentum: 0.5, nesterov: true), 0),
        ("adam", "{name: adam}", .adam, 0), ("adamw", "{name: adamw}", .adamW, 0.01),
        (
            "adam", "{name: adam, betas: [0.8, 0.99], epsilon: 1.0e-6, weight_decay: 0.1}",
            .adam(beta1: 0.8, beta2: 0.99, epsilon: 1e-6), 0.1
        ),
        ("adamw", "adamw", .adamW, 0.01),
    ])
    func optimizers(_ name: String, _ text: String, _ rule: OptimizerSettings.Rule, _ decay: Double) throws {
        let optimizer = try training("optimizer: \(text)").optimizer
        #expect(optimizer.rule.name.rawValue == name)
        #expect(try optimizer == OptimizerSettings(rule, learningRate: 1e-4, weightDecay: decay))
    }

    @Test func schedulesBecomeRates() throws {
        let divided = try training(
            "epochs: 3, optimizer: {learning_rate: 0.8}, schedule: {divide_by: 2, every_epochs: 1}")
        #expect(try divided.schedule == Schedule(.divide(by: 2, everyEpochs: 1)))
        #expect(divided.optimizer.learningRate == 0.8)
        let cosine = try training("steps: 30, schedule: {decay: cosine, final_share: 0.1, warm_up_steps: 5}")
        #expect(try cosine.schedule == Schedule(.cosine(finalShare: 0.1), warmUpSteps: 5))
        #expect(try training("steps: 30").schedule == Schedule())
    }

    @Test(arguments: [
        ("cross_entropy", JobFile.Loss.crossEntropy, #""cross_entropy""#),
        ("{name: cross_entropy}", .crossEntropy, #""cross_entropy""#), ("mse", .mse, #""mse""#),
        (
            "distillation", .distillation(temperature: 1, axis: 1),
            #"{"axis":1,"name":"distillation","temperature":1}"#
        ),
        (
            "{name: distillation, temperature: 2.5, axis: -1}", .distillation(temperature: 2.5, axis: -1),
            #"{"axis":-1,"name":"distillation","temperature":2.5}"#
        ),
        ("{output: total_loss}", .output("total_loss"), #"{"output":"total_loss"}"#),
    ])
    func losses(_ text: String, _ loss: JobFile.Loss, _ written: String) throws {
        let training = try training("loss: \(text)")
        #expect(training.loss == loss)
        // As the report repeats it.
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(String(decoding: try encoder.encode(training.loss), as: UTF8.self) == written)
    }

    @Test(arguments: [
        "", "optimizer: adam, clip_norm: 2, schedule: cosine",
        "steps: 7, optimizer: {nesterov: true}, schedule: constant",
    ])
    func aTrainingIsWrittenInItsOwnKeys(_ lines: String) throws {
        let training = try training(lines)
        let json = try JSONEncoder().encode(training)
        let keys = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
        let optimizer = try #require(keys["optimizer"] as? [String: Any])
        // What the optimizer does not have is not repeated.
        #expect((optimizer["betas"] == nil) == (optimizer["momentum"] != nil))
        let again = try JSONDecoder().decode(
            OptimizerSettings.self, from: JSONSerialization.data(withJSONObject: optimizer))
        #expect(again == training.optimizer)
        let schedule = try #require(keys["schedule"] as? [String: Any])
        #expect(
            try JSONDecoder().decode(Schedule.self, from: JSONSerialization.data(withJSONObject: schedule))
                == training.schedule)
    }

    @Test func allSettingsAreTold() throws {
        #expect(
            try training("").settings(steps: 150, stepsPerEpoch: 10, output: "scores", hasTargets: false) == [
                "training: 15 epochs of 10 steps, global batch 128 in 16 slots, loss cross_entropy",
                "training: sgd with learning rate 0.0001, momentum 0.9, weight decay 0, "
                    + "rate divided by 10 every 5 epochs, ranges learned, weight encodings follow, gradient bits 32, seed 0",
            ])
        let other = try training(
            "steps: 50, loss: mse, optimizer: {name: adamw, learning_rate: 2.0e-5}, clip_norm: 1.5, ranges: static, "
                + "schedule: {decay: cosine, warm_up_steps: 10}, global_batch: 8, slots: 1, seed: 4")
        #expect(
            other.settings(steps: 50, stepsPerEpoch: 7, output: "scores", hasTargets: false) == [
                "training: 50 steps (an epoch has 7), global batch 8 in 1 slot, "
                    + "loss mse (targets: the FP32 model's outputs, as the samples have no array scores)",
                "training: adamw with learning rate 2e-05, betas 0.9 and 0.999, epsilon 1e-08, weight decay 0.01, "
                    + "clip norm 1.5, rate falls as a cosine to 0 of it, warm-up of 10 steps, ranges static, "
                    + "weight encodings follow, gradient bits 32, seed 4",
            ])
    }
}
