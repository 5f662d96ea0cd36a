import Foundation
import Jobs
import Passes
import Reports
import Testing
import Training

/// Which epoch is the best, and when training stops: pure functions of the progress.
@Suite struct TrainingProgressTests {
    /// A training with one epoch for each item, of two steps each.
    /// - Parameter top1: samples of 1,000 that were right; nil for an epoch that was not evaluated.
    private func progress(top1: [Int?], labelled: Int = 1000, before: Int? = nil) throws -> TrainingProgress {
        var untrained = EvaluationResult()
        (untrained.samples, untrained.labelled, untrained.top1, untrained.top5) = (1000, 1000, before ?? 0, 1000)
        var progress = TrainingProgress(stepCount: 2 * top1.count, before: before == nil ? nil : untrained)
        for (epoch, top1) in top1.enumerated() {
            for step in 0..<2 {
                var sum = SlotSum(parameterCount: 0)
                try sum.add(SlotResult(samples: 8, skipped: 1, labelled: 8, correct: 4, lossAndGradient: [1]))
                progress.add(sum, loss: Float(epoch + step), epoch: epoch, learningRate: 0.5, seconds: 1)
            }
            guard let top1 else { continue }
            var result = EvaluationResult()
            (result.samples, result.labelled, result.top1, result.top5) = (1000, labelled, top1, 1000)
            progress.record(.init(result, seconds: 2, specification: Data()))
        }
        return progress
    }

    @Test func theBestEpochHasTheHighestTop1() throws {
        let progress = try progress(top1: [700, 900, 800])
        #expect(progress.best?.epoch == 1)
        #expect(progress.bestStep == 4)
        #expect(progress.steps == 6)
        #expect(progress.seconds == 6 && progress.firstStepSeconds == 1)
    }

    /// The model before training competes; of equal ones it is the best, as nothing was gained.
    @Test(arguments: [(899, false), (900, true), (950, true)])
    func theModelBeforeTrainingCompetes(before: Int, isBest: Bool) throws {
        let progress = try progress(top1: [700, 900, 800], before: before)
        #expect(progress.isBeforeBest == isBest)
        #expect(progress.bestStep == (isBest ? 0 : 4))
        let report = Report.Training(progress, isStoppedEarly: false)
        #expect(report.exportedEpoch == (isBest ? 0 : 2))
        #expect(report.accuracyBefore == Double(before) / 10)
        #expect(try JSONDecoder().decode(TrainingProgress.self, from: JSONEncoder().encode(progress)) == progress)
    }

    /// 1,000 times the first loss are too much, whatever the first was; a rise that may pass is not.
    @Test(arguments: [(1.0, 900.0, false), (1, 1100, true), (0.0001, 9, false), (0.0001, 11, true), (50, 40, false)])
    func aLossThatGrowsWithoutBound(first: Float, later: Float, isDivergence: Bool) throws {
        var progress = TrainingProgress(stepCount: 20)
        let sum = SlotSum(parameterCount: 0)
        func add(_ loss: Float, _ epoch: Int) {
            progress.add(sum, loss: loss, epoch: epoch, learningRate: 0.5, seconds: 1)
        }
        add(first, 0)
        try progress.checkGrowth()
        for _ in 0..<3 { add(later, 1) }
        if isDivergence {
            let error = #expect(throws: TrainingError.self) { try progress.checkGrowth() }
            #expect(error?.code == .diverged && error?.step == 3)
        } else {
            try progress.checkGrowth()
        }
    }

    @Test func ofEqualEpochsTheEarliestIsTheBest() throws {
        #expect(try progress(top1: [700, 900, 900]).best?.epoch == 1)
        #expect(try progress(top1: [0, 0]).best?.epoch == 0)
    }

    @Test func withoutLabelsThereIsNoBestEpoch() throws {
        let unlabelled = try progress(top1: [700, 900], labelled: 999)
        #expect(unlabelled.best == nil && unlabelled.bestStep == nil)
        #expect(!unlabelled.isExhausted(patience: 1))
        #expect(TrainingProgress(stepCount: 1).best == nil)
        #expect(!TrainingProgress(stepCount: 1).isExhausted(patience: 1))
        let summary = Report.Training(unlabelled, isStoppedEarly: false)
        #expect(summary.exportedEpoch == 2)
        #expect(summary.epochs.allSatisfy { $0.evaluationAccuracy == nil })
    }

    @Test(
        arguments: [
            // The best is the first of four.
            ([900, 800, 850, 900], [1: true, 2: true, 3: true, 4: false]),
            // An improvement starts the count anew.
            ([700, 600, 800, 700], [1: true, 2: false, 3: false]),
            ([700, 800], [1: false]), ([700], [1: false]),
            // Epochs without an evaluation decide nothing, and count.
            ([900, nil, 800], [1: true, 2: true, 3: false]), ([900, 800, nil], [1: false]),
        ] as [([Int?], [Int: Bool])])
    func patienceCountsEpochsSinceTheBest(_ top1: [Int?], _ isExhausted: [Int: Bool]) throws {
        let progress = try progress(top1: top1)
        for (patience, expected) in isExhausted {
            #expect(progress.isExhausted(patience: patience) == expected, "patience \(patience)")
        }
        #expect(!progress.isExhausted(patience: nil))
    }

    @Test func theReportHasEpochsAndTheCurve() throws {
        let report = Report.Training(try progress(top1: [700, nil, 650]), isStoppedEarly: true)
        #expect(report.steps == 6)
        #expect(report.epochs.map(\.epoch) == [1, 2, 3])
        #expect(report.epochs.map(\.loss) == [0.5, 1.5, 2.5])
        #expect(report.epochs.map(\.accuracy) == [50, 50, 50])
        #expect(report.epochs.map(\.evaluationAccuracy) == [70, nil, 65])
        #expect(report.epochs.map(\.evaluationAccuracyTop5) == [100, nil, 100])
        #expect(report.exportedEpoch == 1)
        #expect(report.stoppedEarlyAfterEpoch == 3)
        #expect(report.lossCurve.stepsPerPoint == 1 && report.lossCurve.losses == [0, 1, 1, 2, 2, 3])
    }

    /// What a resumed job reads is what was written.
    @Test func progressIsReadAsItWasWritten() throws {
        var progress = try progress(top1: [700, 650])
        var sum = SlotSum(parameterCount: 0)
        try sum.add(SlotResult(samples: 1, skipped: 0, labelled: 1, correct: 0, lossAndGradient: [0.1]))
        progress.add(sum, loss: 0.1, epoch: 2, learningRate: 1e-7 / 3, seconds: 0.1)
        let data = try JSONEncoder().encode(progress)
        #expect(try JSONDecoder().decode(TrainingProgress.self, from: data) == progress)
    }

    @Test func linesOnTheTerminal() throws {
        let progress = try progress(top1: [873, 870])
        #expect(progress.epochLine == "epoch 2  loss 1.5000  evaluation top-1 87.00 %")
        #expect(
            try self.progress(top1: [873]).epochLine == "epoch 1  loss 0.5000  evaluation top-1 87.30 %  best so far")
        #expect(try self.progress(top1: [nil]).epochLine == "epoch 1  loss 0.5000")
        #expect(
            progress.note(loss: 0.25, epochCount: 15, stepCount: 1200)
                == "epoch 2/15  step 4/1,200  loss 0.2500  evaluation top-1 87.00 %")
    }
}
