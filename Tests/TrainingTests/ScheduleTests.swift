import Foundation
import TestSupport
import Testing
import Training

@Suite struct ScheduleTests {
    private static func golden() throws -> [String: [Double]] {
        let url = goldenFolder("Training").appendingPathComponent("schedules.json")
        return try JSONDecoder().decode([String: [Double]].self, from: Data(contentsOf: url))
    }

    private static func rates(_ schedule: Schedule, of rate: Double, steps: Int, _ count: Int) -> [Double] {
        (0..<count).map { schedule.learningRate(rate, step: $0, stepsPerEpoch: 7, stepCount: steps) }
    }

    @Test func `rates are those of PyTorch's schedulers`() throws {
        let golden = try Self.golden()
        for (name, schedule) in [
            ("divide", try Schedule(.divide(by: 10, everyEpochs: 2))),
            ("cosine", try Schedule(.cosine(finalShare: 0.01))),
            ("warm_up", try Schedule(warmUpSteps: 5)),
        ] {
            let expected = try #require(golden[name])
            for (step, (left, right)) in zip(
                Self.rates(schedule, of: 0.3, steps: 42, expected.count), expected
            ).enumerated() {
                #expect(abs(left - right) <= 1e-14, "\(name), step \(step): \(left), \(right)")
            }
        }
    }

    @Test func `decay begins after the warm-up and stays at the last`() throws {
        let schedule = try Schedule(.cosine(finalShare: 0.1), warmUpSteps: 4)
        let rates = Self.rates(schedule, of: 1, steps: 14, 20)
        #expect(Array(rates[..<5]) == [0.25, 0.5, 0.75, 1, 1])
        #expect(zip(rates[4...14], rates[5...14]).allSatisfy { $0 > $1 })
        #expect(rates[14...].allSatisfy { abs($0 - 0.1) < 1e-15 })
        let divided = try Schedule(.divide(by: 4, everyEpochs: 1), warmUpSteps: 10)
        #expect(Self.rates(divided, of: 1, steps: 14, 9)[6...8].elementsEqual([0.7, 0.2, 0.225]))
    }

    @Test func `settings that cannot be are refused by name`() {
        func key<Setting>(_ make: () throws -> Setting) -> String? {
            #expect(throws: TrainingError.self) { _ = try make() }?.key
        }
        #expect(key { try OptimizerSettings(.adam, learningRate: 0) } == "learning_rate")
        #expect(key { try Schedule(.divide(by: 0, everyEpochs: 1)) } == "divide_by")
        #expect(key { try Schedule(.divide(by: 2, everyEpochs: 0)) } == "every_epochs")
        #expect(key { try Schedule(.cosine(finalShare: 2)) } == "final_share")
        #expect(key { try Schedule(warmUpSteps: -1) } == "warm_up_steps")
    }

    @Test func `settings are written as in a job file, and read again`() throws {
        for (schedule, json) in [
            (try Schedule(), #"{"decay":"constant","warm_up_steps":0}"#),
            (
                try Schedule(.divide(by: 10, everyEpochs: 5), warmUpSteps: 3),
                #"{"decay":"divide","divide_by":10,"every_epochs":5,"warm_up_steps":3}"#
            ),
            (
                try Schedule(.cosine(finalShare: 0.5)),
                #"{"decay":"cosine","final_share":0.5,"warm_up_steps":0}"#
            ),
        ] { try Self.check(schedule, json) }
        for (settings, json) in [
            (
                try OptimizerSettings(.sgd(momentum: 0.5, nesterov: true), learningRate: 0.25),
                #"{"learning_rate":0.25,"momentum":0.5,"name":"sgd","nesterov":true,"weight_decay":0}"#
            ),
            (
                try OptimizerSettings(
                    .adamW(beta1: 0.5, beta2: 0.75, epsilon: 0.125), learningRate: 2, weightDecay: 0.5),
                #"{"betas":[0.5,0.75],"epsilon":0.125,"learning_rate":2,"name":"adamw","weight_decay":0.5}"#
            ),
        ] { try Self.check(settings, json) }
    }

    private static func check<Setting: Codable & Equatable>(_ setting: Setting, _ json: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let data = try encoder.encode(setting)
        #expect(String(decoding: data, as: UTF8.self) == json)
        #expect(try JSONDecoder().decode(Setting.self, from: data) == setting)
    }
}
