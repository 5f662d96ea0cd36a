import Foundation
import TestSupport
import Testing
import Training

@Suite struct ScheduleTests {
    private static func golden() throws -> [String: [Double]] {
        let url = goldenFolder("Training").appendingPathComponent("schedules.json")
        return try JSONDecoder().decode([String: [Double]].self, from: Data(contentsOf: url))
    }

    private static func rates(_ schedule: Schedule, _ count: Int) -> [Double] {
        (0..<count).map { schedule.learningRate(step: $0, stepsPerEpoch: 7) }
    }

    @Test func `rates are those of PyTorch's schedulers`() throws {
        let golden = try Self.golden()
        for (name, schedule) in [
            ("divide", try Schedule(learningRate: 0.3, decay: .divide(by: 10, everyEpochs: 2))),
            ("cosine", try Schedule(learningRate: 0.3, decay: .cosine(steps: 42, lastShare: 0.01))),
            ("warm_up", try Schedule(learningRate: 0.3, warmUpSteps: 5)),
        ] {
            let expected = try #require(golden[name])
            for (step, (left, right)) in zip(Self.rates(schedule, expected.count), expected).enumerated() {
                #expect(abs(left - right) <= 1e-14, "\(name), step \(step): \(left), \(right)")
            }
        }
    }

    @Test func `decay begins after the warm-up and stays at the last`() throws {
        let schedule = try Schedule(learningRate: 1, decay: .cosine(steps: 14, lastShare: 0.1), warmUpSteps: 4)
        let rates = Self.rates(schedule, 20)
        #expect(Array(rates[..<5]) == [0.25, 0.5, 0.75, 1, 1])
        #expect(zip(rates[4...14], rates[5...14]).allSatisfy { $0 > $1 })
        #expect(rates[14...].allSatisfy { abs($0 - 0.1) < 1e-15 })
        let divided = try Schedule(learningRate: 1, decay: .divide(by: 4, everyEpochs: 1), warmUpSteps: 10)
        #expect(Self.rates(divided, 9)[6...8].elementsEqual([0.7, 0.2, 0.225]))
    }

    @Test func `settings that cannot be are refused by name`() {
        func key(_ make: () throws -> Schedule) -> String? {
            #expect(throws: TrainingError.self) { try make() }?.key
        }
        #expect(key { try Schedule(learningRate: 0) } == "learning_rate")
        #expect(key { try Schedule(learningRate: 1, decay: .divide(by: 0, everyEpochs: 1)) } == "divide_by")
        #expect(key { try Schedule(learningRate: 1, decay: .divide(by: 2, everyEpochs: 0)) } == "every_epochs")
        #expect(key { try Schedule(learningRate: 1, decay: .cosine(steps: 0, lastShare: 0)) } == "steps")
        #expect(key { try Schedule(learningRate: 1, decay: .cosine(steps: 1, lastShare: 2)) } == "last_share")
        #expect(key { try Schedule(learningRate: 1, warmUpSteps: -1) } == "warm_up_steps")
    }
}
