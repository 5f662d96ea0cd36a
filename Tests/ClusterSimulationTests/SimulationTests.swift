import Foundation
import Testing

/// Thousands of histories of the protocol. A failing seed is printed and can be replayed alone, with its history, by
/// setting QUANTSIM_SIMULATION_SEED; QUANTSIM_SIMULATION_SEEDS sets how many are run.
@Suite struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    @Test func everyHistoryEndsInTheSameState() async throws {
        guard let total = try await run(seeds: Self.defaultSeeds, trains: false) else { return }
        // Machines that compute other bits were turned away.
        if total.histories >= 300 { #expect(total.statistics["exit refused", default: 0] >= total.histories / 20) }
    }

    @Test func everyTrainingEndsInTheSameState() async throws {
        guard let total = try await run(seeds: Self.defaultTrainings, trains: true) else { return }
        // What the protocol is for must have happened, and often.
        let kinds = [
            "reduced steps", "plans of a further attempt", "attempts given up", "attempts failed: lost connection",
            "attempts failed: no answer", "state transfers", "workers that lack a state", "pass ended: stateLost",
            "rewinds",
            "fallbacks", "central steps", "damaged states of many", "damaged states of two",
            "pass ended: replicasDiffer",
        ]
        for kind in kinds where total.histories >= 1000 {
            #expect(total.statistics[kind, default: 0] >= total.histories / 500, "\(kind)")
        }
    }

    @discardableResult
    private func run(seeds defaultSeeds: UInt64, trains: Bool) async throws -> Tally? {
        if let seed = Self.environment["QUANTSIM_SIMULATION_SEED"].flatMap(UInt64.init) {
            let simulation = Simulation(seed: seed, trains: trains)
            simulation.keepsHistory = true
            let violations = simulation.run()
            print(simulation.history.joined(separator: "\n"))
            print("faults:", simulation.faults, "job:", simulation.job)
            #expect(violations.isEmpty, "seed \(seed)")
            return nil
        }
        let count = Self.environment["QUANTSIM_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? defaultSeeds
        let began = Date()
        let cores = UInt64(ProcessInfo.processInfo.activeProcessorCount)
        let total = await withTaskGroup(of: Tally.self) { group in
            for core in 0..<cores {
                group.addTask {
                    var tally = Tally()
                    for seed in stride(from: 1 + core, through: count, by: Int(cores)) where !tally.hasFailed {
                        tally.add(Simulation(seed: seed, trains: trains))
                    }
                    return tally
                }
            }
            return await group.reduce(into: Tally()) { $0.add($1) }
        }
        print(
            "\(count) histories, \(total.events) events, \(Int(total.seconds)) s in",
            "\(Int(Date().timeIntervalSince(began))) s:",
            total.statistics.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        return total
    }

    #if DEBUG
        static let defaultSeeds: UInt64 = 300
        static let defaultTrainings: UInt64 = 300
    #else
        static let defaultSeeds: UInt64 = 3000
        static let defaultTrainings: UInt64 = 2000
    #endif

    /// What came of some seeds.
    struct Tally: Sendable {
        var histories = 0
        var events = 0
        /// Of virtual time.
        var seconds = 0.0
        var statistics: [String: Int] = [:]
        var hasFailed = false

        mutating func add(_ simulation: Simulation) {
            let violations = simulation.run()
            #expect(violations.isEmpty, "QUANTSIM_SIMULATION_SEED=\(simulation.seed): \(simulation.faults)")
            hasFailed = hasFailed || !violations.isEmpty
            histories += 1
            events += simulation.events
            seconds += Double(simulation.now.nanoseconds) / 1e9
            statistics.merge(simulation.statistics) { $0 + $1 }
        }

        mutating func add(_ other: Tally) {
            histories += other.histories
            events += other.events
            seconds += other.seconds
            statistics.merge(other.statistics) { $0 + $1 }
            hasFailed = hasFailed || other.hasFailed
        }
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
