import Cluster
import Execution
import Foundation
import Logging
import Synchronization
import Tensors

/// Runs jobs: reads the job file, serves workers, writes the output folder.
public enum JobRunner {
    /// `quantsim run`: the coordinator in this process, workers as processes of this machine.
    public static func run(_ options: RunOptions) throws -> Report {
        let workers = Mutex<LocalWorkers?>(nil)
        let display = ProgressDisplay()
        defer { workers.withLock { $0 }?.stop(withinSeconds: 10) }
        return try coordinate(
            job: options.job, output: options.output, endpoint: "tcp://127.0.0.1:*", resume: false, display: display,
            ready: { coordinator in
                let local = LocalWorkers(
                    LocalWorkers.Configuration(count: options.workers, endpoint: coordinator.boundEndpoint)
                ) { event in
                    switch event {
                    case .restarting(let worker, let code):
                        display.message("worker \(worker) ended with exit code \(code) and is started again")
                    case .allGone: coordinator.fail(ClusterError(.closed, expected: "a worker", found: "none left"))
                    case .started, .ended, .givenUp: break
                    }
                }
                try local.start()
                workers.withLock { $0 = local }
            },
            peakWorkerMemory: { workers.withLock { $0 }?.peakMemoryBytes })
    }

    /// `quantsim coordinator`: serves whatever workers connect.
    public static func coordinate(_ options: CoordinatorOptions) throws -> Report {
        let display = ProgressDisplay()
        return try coordinate(
            job: options.job, output: options.output, endpoint: options.endpoint, resume: options.resume,
            display: display,
            ready: { display.message("workers connect to \($0.boundEndpoint)") })
    }

    /// `quantsim demo`: the bundled job.
    public static func demo(_ options: DemoOptions) throws -> Report {
        guard let job = Bundle.module.url(forResource: "demo", withExtension: "yml", subdirectory: "Demo") else {
            throw JobError(.unreadableFile, file: "Demo/demo.yml", found: "not bundled")
        }
        return try run(RunOptions(job: job.path, workers: options.workers, output: options.output))
    }

    private static func coordinate(
        job path: String, output: URL, endpoint: String, resume: Bool, display: ProgressDisplay,
        ready: (Coordinator) throws -> Void, peakWorkerMemory: () -> Int? = { nil }
    ) throws -> Report {
        let job = try JobFile.read(path)
        try job.checkSupported()
        let calibration = try job.source(job.dataset.calibration)
        let evaluation = try job.dataset.evaluation.map(job.source)
        let instructionSet = try job.pinnedInstructionSet()
        try ComputeLibrary.pin(instructionSet)
        let preparation = try ModelPreparation(job, source: calibration)
        let folder = try OutputFolder(creating: output)

        let monitor = ProgressMonitor(display)
        var configuration = CoordinatorConfiguration(
            endpoint: endpoint, library: ComputeLibrary.version, isa: instructionSet.rawValue)
        configuration.journalPath = folder.journal.path
        configuration.resume = resume
        configuration.fingerprint = try job.fingerprint(preparation, sources: [calibration, evaluation].compactMap(\.self))
        configuration.logger = Logger(label: "quantsim.coordinator") { DisplayLogHandler(label: $0, display: display) }
        configuration.progress = { monitor.take($0) }
        let coordinator = try Coordinator(configuration: configuration)
        defer { coordinator.finish() }
        try ready(coordinator)

        var pipeline = try Pipeline(
            job, preparation, calibration: calibration, evaluation: evaluation, output: folder,
            coordinator: coordinator, display: display)
        let (stages, digest) = try pipeline.run()
        let report = Report(
            job: job, stages: stages, digest: digest, instructionSet: instructionSet.rawValue,
            workersSeen: monitor.mostWorkers,
            peakMemory: Report.PeakMemoryReport(coordinator: PeakMemory.bytes(), worker: peakWorkerMemory()),
            libraries: ["oneDNN": ComputeLibrary.version])
        try writeAtomically(report.json(), to: folder.report)
        return report
    }
}

/// Shows the coordinator's progress.
private final class ProgressMonitor: Sendable {
    private let display: ProgressDisplay
    private let most = Mutex(0)

    init(_ display: ProgressDisplay) {
        self.display = display
    }

    /// The most workers that were there at once.
    var mostWorkers: Int { most.withLock(\.self) }

    func take(_ progress: ClusterProgress) {
        most.withLock { $0 = max($0, progress.workers) }
        display.update(done: progress.samplesCommitted, workers: progress.workers)
    }
}
