import Foundation
import Testing

/// Thousands of histories of the protocol. A failing seed is printed and can be replayed alone, with its history, by
/// setting QUANTSIM_SIMULATION_SEED; QUANTSIM_SIMULATION_SEEDS sets how many are run.
@Suite struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    @Test func everyHistoryEndsInTheSameState() throws {
        if let seed = Self.environment["QUANTSIM_SIMULATION_SEED"].flatMap(UInt64.init) {
            let simulation = Simulation(seed: seed)
            simulation.keepsHistory = true
            let violations = simulation.run()
            print(simulation.history.joined(separator: "\n"))
            print("faults:", simulation.faults, "job:", simulation.job)
            #expect(violations.isEmpty, "seed \(seed)")
            return
        }
        let count = Self.environment["QUANTSIM_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 300
        var statistics: [String: Int] = [:]
        var events = 0
        var virtualSeconds = 0.0
        let began = Date()
        for seed in 1...count {
            let simulation = Simulation(seed: seed)
            let violations = simulation.run()
            #expect(violations.isEmpty, "seed \(seed): \(simulation.faults)")
            events += simulation.events
            virtualSeconds += Double(simulation.now.nanoseconds) / 1e9
            statistics.merge(simulation.statistics) { $0 + $1 }
            if !violations.isEmpty { break }
        }
        print(
            "\(count) histories, \(events) events, \(Int(virtualSeconds)) s in \(Date().timeIntervalSince(began)) s:",
            statistics.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    }

    @Test func withoutFaultsNothingIsRepeated() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed, faults: FaultPlan.none, job: Simulation.Job(shardTime: 100...120))
            #expect(simulation.run().isEmpty, "seed \(seed)")
            #expect(simulation.statistics["computed shards"] == 40, "seed \(seed)")
            #expect(simulation.statistics["exit finished"] == 3, "seed \(seed)")
        }
    }
}
