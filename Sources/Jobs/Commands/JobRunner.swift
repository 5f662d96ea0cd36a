import Cluster
import Foundation

/// Runs jobs: reads the job file, serves workers, writes the output folder.
public enum JobRunner {
    /// `quantsim run`: the coordinator in this process, workers as processes of this machine.
    public static func run(_ options: RunOptions) throws -> Report {
        let display = ProgressDisplay()
        let service = try JobService(
            job: options.job, output: options.output, endpoint: "tcp://127.0.0.1:*", resume: false, display: display)
        defer { service.coordinator.finish() }
        try TerminationSignals.watch { [coordinator = service.coordinator] _ in
            coordinator.fail(ClusterError(.closed))
        }
        let workers = launch(options.workers, for: service.coordinator, display: display)
        try workers.start()
        defer { workers.stop(withinSeconds: 10) }
        return try service.run { workers.peakMemoryBytes() }
    }

    private static func launch(
        _ count: Int, for coordinator: Coordinator, display: ProgressDisplay
    ) -> LocalWorkers {
        LocalWorkers(LocalWorkers.Configuration(count: count, endpoint: coordinator.boundEndpoint)) { event in
            switch event {
            case .restarting(let worker, let code):
                display.message("worker \(worker) ended with exit code \(code) and is started again")
            case .allGone: coordinator.fail(ClusterError(.noWorkers))
            case .started, .ended, .givenUp: break
            }
        }
    }

    /// `quantsim coordinator`: serves whatever workers connect.
    public static func coordinate(_ options: CoordinatorOptions) throws -> Report {
        let display = ProgressDisplay()
        let service = try JobService(
            job: options.job, output: options.output, endpoint: options.endpoint, resume: options.resume,
            display: display)
        defer { service.coordinator.finish() }
        // Workers are not told: they wait for the coordinator that goes on with the job.
        try TerminationSignals.watch { [coordinator = service.coordinator] _ in coordinator.suspend() }
        display.message("workers connect to \(service.coordinator.boundEndpoint)")
        return try service.run { nil }
    }

    /// `quantsim demo`: the bundled job.
    public static func demo(_ options: DemoOptions) throws -> Report {
        guard let job = Bundle.module.url(forResource: "demo", withExtension: "yml", subdirectory: "Demo") else {
            throw JobError(.unreadableFile, file: "Demo/demo.yml", found: "not bundled")
        }
        return try run(RunOptions(job: job.path, workers: options.workers, output: options.output))
    }
}
