import Foundation
import Jobs
import Passes
import Reports
import Tensors
import TestSupport
import Testing
import Training

/// What a resumed training goes on from, and what it says where it cannot.
@Suite struct TrainingCheckpointsTests {
    private let scratch: ScratchFolder
    private let plan: ReplicaPlan
    private static let job = Data("this job".utf8)

    init() throws {
        scratch = try ScratchFolder()
        plan = ReplicaPlan(
            parameters: [.init(name: "w", dimensions: [2], quantizer: nil)], activations: [],
            optimizer: try OptimizerSettings(.sgd(momentum: 0.9, nesterov: false), learningRate: 0.1), ranges: .static,
            weightEncodings: .follow, clipNorm: nil)
    }

    private func open(job: Data = Self.job, resume: Bool = true) throws -> TrainingCheckpoints {
        try TrainingCheckpoints(scratch.url, job: job, seed: 1, resume: resume)
    }

    /// Checkpoints of steps 1 and 2.
    private func write(evaluations: (before: EvaluationResult, after: EvaluationResult)? = nil) throws {
        var checkpoints = try open(resume: false)
        var replica = try TrainingReplica(plan, of: ["w": Tensor(shape: [2], [Float(1), 2])])
        var progress = TrainingProgress(stepCount: 8, before: evaluations?.before)
        for _ in 1...2 {
            try replica.step(gradient: [0.5, -1], learningRate: 0.1)
            var sum = SlotSum(parameterCount: 0)
            try sum.add(SlotResult(samples: 4, skipped: 0, labelled: 4, correct: 1, lossAndGradient: [1]))
            progress.add(sum, loss: 1, epoch: 0, learningRate: 0.1, seconds: 1)
            if let after = evaluations?.after { progress.record(.init(after, seconds: 1, specification: Data())) }
            try checkpoints.write(replica, progress, epoch: 0)
        }
    }

    private func spoil(step: Int, _ name: String = "tensors.safetensors") throws {
        let file = scratch.url.appendingPathComponent("step-00000000\(step)/\(name)")
        var data = try Data(contentsOf: file)
        data[data.count - 1] ^= 1
        try data.write(to: file)
    }

    @Test func theNewestIsGoneOnFrom() throws {
        try write()
        var checkpoints = try open()
        let saved = try #require(try checkpoints.latest(plan))
        #expect(saved.progress.steps == 2 && saved.passedOver.isEmpty)
        #expect(saved.replica.optimizer.stepCount == 2)
    }

    /// Weights that no epoch has made better are in no checkpoint: they are the model's own.
    @Test func whereTheModelBeforeIsTheBestTrainingGoesOn() throws {
        var (before, after) = (EvaluationResult(), EvaluationResult())
        (before.samples, before.labelled, before.top1, before.top5) = (10, 10, 9, 10)
        (after.samples, after.labelled, after.top1, after.top5) = (10, 10, 8, 10)
        try write(evaluations: (before, after))
        var checkpoints = try open()
        let saved = try #require(try checkpoints.latest(plan))
        #expect(saved.progress.isBeforeBest && saved.progress.steps == 2 && saved.passedOver.isEmpty)
    }

    @Test func oneThatTheDiskHasSpoiltIsToldOf() throws {
        try write()
        try spoil(step: 2)
        var checkpoints = try open()
        let saved = try #require(try checkpoints.latest(plan))
        #expect(saved.progress.steps == 1)
        #expect(saved.passedOver.map(\.code) == [.digestMismatch])
    }

    /// To begin anew would lose the training without a word.
    @Test(arguments: ["tensors.safetensors", "manifest.json"])
    func whereNoneCanBeReadTrainingDoesNotBeginAnew(_ name: String) throws {
        try write()
        for step in 1...2 {
            if name == "manifest.json" {
                let file = scratch.url.appendingPathComponent("step-00000000\(step)/\(name)")
                try Data("{".utf8).write(to: file)
            } else {
                try spoil(step: step, name)
            }
        }
        var checkpoints = try open()
        let error = try #require(throws: TrainingError.self) { try checkpoints.latest(plan) }
        #expect(error.code == (name == "manifest.json" ? .malformed : .digestMismatch))
        #expect(error.file?.contains("step-000000002") == true)
    }

    @Test func thoseOfAnotherJobAreRefused() throws {
        try write()
        var checkpoints = try open(job: Data("another".utf8))
        #expect(try #require(throws: TrainingError.self) { try checkpoints.latest(plan) }.code == .noCheckpoint)
    }

    @Test func withoutCheckpointsTrainingBegins() throws {
        var checkpoints = try open()
        #expect(try checkpoints.latest(plan) == nil)
        try write()
        var cleared = try open(resume: false)
        #expect(try cleared.latest(plan) == nil)
    }
}
