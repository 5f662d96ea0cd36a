import Cluster
import ClusterProtocol
import Foundation
import JobFile
import Jobs
import Logging
import Reports
import Support

/// Runs jobs: reads the job file, serves workers, writes the output folder.
public enum JobRunner {
    /// `quantsim run`: the coordinator in this process, workers as processes of this machine.
    public static func run(_ options: RunOptions) throws -> Report {
        let display = ProgressDisplay()
        let monitor = ProgressMonitor(display)
        let service = try JobService(
            job: options.job, output: options.output,
            surroundings(endpoint: "tcp://127.0.0.1:*", former: options.former, display, monitor))
        return try finishing(service, display) {
            try TerminationSignals.watch { [coordinator = service.coordinator] _ in
                coordinator.fail(ClusterError(.closed))
            }
            let workers = launch(options.workers, for: service.coordinator, display: display)
            try workers.start()
            defer { workers.stop(withinSeconds: 10) }
            return try service.run { processes(monitor, peakWorkerMemory: workers.peakMemoryBytes()) }
        }
    }

    /// Runs `body`, and tells the workers how it ended.
    private static func finishing(
        _ service: JobService, _ display: ProgressDisplay, _ body: () throws -> Report
    ) throws -> Report {
        defer {
            service.coordinator.finish()
            display.close()
        }
        do {
            return try body()
        } catch {
            // Without a word of it they would take the job for done.
            service.coordinator.fail(ClusterError(ClusterError.Code(describing: error)))
            throw error
        }
    }

    private static func surroundings(
        endpoint: String, former: FormerResults, _ display: ProgressDisplay, _ monitor: ProgressMonitor
    ) -> JobService.Surroundings {
        JobService.Surroundings(
            endpoint: endpoint, former: former, progress: display,
            // Who watches a live line wants to hear of trouble only.
            logger: Logger(label: "quantsim.coordinator") { _ in
                DisplayLogHandler(display: display, level: display.isLive ? .warning : .info)
            }, classify: { ClusterError.Code(describing: $0) }, clusterProgress: { monitor.take($0) })
    }

    /// - Parameter peakWorkerMemory: in bytes; nil where unknown.
    private static func processes(_ monitor: ProgressMonitor, peakWorkerMemory: Int?) -> JobService.Processes {
        JobService.Processes(
            workersSeen: monitor.mostWorkers,
            peakMemory: Report.PeakMemoryReport(coordinator: PeakMemory.bytes(), worker: peakWorkerMemory))
    }

    private static func launch(
        _ count: Int, for coordinator: Coordinator, display: ProgressDisplay
    ) -> LocalWorkers {
        LocalWorkers(LocalWorkers.Configuration(count: count, endpoint: coordinator.boundEndpoint)) { event in
            switch event {
            case .restarting(let worker, let code):
                display.message("worker \(worker) ended with exit code \(code) and is started again")
            case .allGone: coordinator.fail(ClusterError(.noWorkers))
            case .said(let worker, let line): display.message("worker \(worker): \(line)")
            case .started, .ended, .givenUp: break
            }
        }
    }

    /// `quantsim coordinator`: serves whatever workers connect.
    public static func coordinate(_ options: CoordinatorOptions) throws -> Report {
        let display = ProgressDisplay()
        let monitor = ProgressMonitor(display)
        let service = try JobService(
            job: options.job, output: options.output,
            surroundings(endpoint: options.endpoint, former: options.former, display, monitor))
        return try finishing(service, display) {
            // Workers are not told: they wait for the coordinator that goes on with the job.
            try TerminationSignals.watch { [coordinator = service.coordinator] _ in coordinator.suspend() }
            display.message(Self.invitation(service.coordinator))
            return try service.run { processes(monitor, peakWorkerMemory: nil) }
        }
    }

    /// A command that can be pasted.
    private static func invitation(_ coordinator: Coordinator) -> String {
        let endpoints = coordinator.endpointsForWorkers
        let others = endpoints.dropFirst().joined(separator: " or ")
        return """
            workers connect to \(coordinator.boundEndpoint), on each machine by
              \(Program.invocation) worker --connect \(endpoints.first ?? coordinator.boundEndpoint)
            """ + (others.isEmpty ? "" : "\n  (also reached at \(others))")
    }

    /// `quantsim demo`: the bundled job.
    public static func demo(_ options: DemoOptions) throws -> Report {
        guard let job = Bundle.module.url(forResource: "demo", withExtension: "yml", subdirectory: "Demo") else {
            throw JobError(.unreadableFile, file: "Demo/demo.yml", found: "not bundled")
        }
        return try run(
            RunOptions(job: job.path, workers: options.workers, output: options.output, former: options.former))
    }
}
