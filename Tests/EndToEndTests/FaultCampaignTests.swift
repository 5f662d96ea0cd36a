import Foundation
import Glibc
import Tensors
import Testing
import TestSupport

private let wantedFaults = Int(ProcessInfo.processInfo.environment["QUANTSIM_FAULTS"] ?? "") ?? 0

/// Faults of processes at random moments: whatever is killed, stopped and started again, the results are the same bits. Takes
/// minutes, so it runs when it is asked for: `QUANTSIM_FAULTS=200 swift test -c release --filter FaultCampaignTests`, with
/// `QUANTSIM_FAULT_SEED` to draw the same faults again.
@Suite(.serialized, .enabled(if: wantedFaults > 0, "QUANTSIM_FAULTS says how many"))
struct FaultCampaignTests {
    private enum Fault: CaseIterable {
        case killWorker, endWorker, stopWorker, killCoordinator, endCoordinator, stopCoordinator, killAllWorkers,
            killAll
    }

    @Test func theResultsAreTheSameBits() throws {
        let seed = UInt64(ProcessInfo.processInfo.environment["QUANTSIM_FAULT_SEED"] ?? "") ?? UInt64(time(nil))
        print("QUANTSIM_FAULT_SEED=\(seed)")
        var random = CounterRandom(key: seed, 0)
        let scratch = try ScratchFolder()
        let job = try TrainingJob(in: scratch.url, steps: 400, learningRate: 1e-6, evaluation: 2000)
        func finished(_ run: ClusterRun) throws -> RunReport {
            // A shard that many workers died on ends the job honestly; it goes on as one that was interrupted.
            for attempt in 1... {
                try keepWorkers(of: run)
                let code = try run.coordinator.exitCode(withinSeconds: 60)
                if code == 0 { break }
                try #require(attempt < 5, "exit code \(code): \(run.coordinator.standardError)")
                try run.restartCoordinator()
                try run.addWorker(lanes: 2)
            }
            return try TestJob.report(run.output)
        }
        let expected = try finished(ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 2))
        var done: [Fault: Int] = [:]
        while done.values.reduce(0, +) < wantedFaults {
            let run = try ClusterRun(job.file, in: scratch.url, workers: 2, lanes: 1)
            for _ in 0..<12 {
                usleep(UInt32.random(in: 50_000...600_000, using: &random))
                guard run.coordinator.process.isRunning else { break }
                let fault = Fault.allCases[Int.random(in: Fault.allCases.indices, using: &random)]
                try apply(fault, to: run, &random)
                done[fault, default: 0] += 1
            }
            let found = try finished(run)
            #expect(found.digest == expected.digest, "seed \(seed) after \(done)")
            #expect(
                found.samples == expected.samples && found.skipped == expected.skipped, "seed \(seed) after \(done)")
            #expect(found.accuracy == expected.accuracy && found.training == expected.training, "seed \(seed)")
            for worker in run.workers where worker.process.isRunning { worker.kill() }
        }
        print("faults: \(done)")
    }

    /// Until the coordinator ends. A worker that was asked to end, or whose coordinator was, ends some time after the fault.
    private func keepWorkers(of run: ClusterRun) throws {
        let end = Date().addingTimeInterval(300)
        while run.coordinator.process.isRunning, Date() < end {
            if !run.workers.contains(where: \.process.isRunning) { try run.addWorker(lanes: 2) }
            usleep(20_000)
        }
    }

    private func apply(_ fault: Fault, to run: ClusterRun, _ random: inout CounterRandom) throws {
        let living = run.workers.filter(\.process.isRunning)
        func send(_ signal: Int32, _ process: QuantSimProcess) { Glibc.kill(process.process.processIdentifier, signal) }
        func pause(_ process: QuantSimProcess) {
            send(SIGSTOP, process)
            usleep(UInt32.random(in: 100_000...2_000_000, using: &random))
            send(SIGCONT, process)
        }
        let worker = living.isEmpty ? nil : living[Int.random(in: living.indices, using: &random)]
        switch fault {
        case .killWorker: worker?.kill()
        case .endWorker: if let worker { send(SIGTERM, worker) }
        case .stopWorker: if let worker { pause(worker) }
        case .stopCoordinator: pause(run.coordinator)
        case .killCoordinator: run.coordinator.kill()
        case .endCoordinator: send(SIGTERM, run.coordinator)
        case .killAllWorkers: for worker in living { worker.kill() }
        case .killAll:
            for worker in living { worker.kill() }
            run.coordinator.kill()
        }
        if [.killCoordinator, .endCoordinator, .killAll].contains(fault) {
            _ = try run.coordinator.exitCode()
            try run.restartCoordinator()
        }
        let needed = 2 - run.workers.count(where: \.process.isRunning)
        for _ in 0..<max(needed, 0) { try run.addWorker(lanes: 1) }
    }
}
