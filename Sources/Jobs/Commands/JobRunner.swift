import Cluster
import Datasets
import Execution
import Foundation
import Logging
import Synchronization
import Tensors

/// Runs jobs: reads the job file, serves workers, writes the output folder.
public enum JobRunner {
    /// `quantsim run`: the coordinator in this process, workers as processes of this machine.
    public static func run(_ options: RunOptions) throws -> Report {
        let display = ProgressDisplay()
        let service = try JobService(
            job: options.job, output: options.output, endpoint: "tcp://127.0.0.1:*", resume: false, display: display)
        defer { service.coordinator.finish() }
        try TerminationSignals.watch { [coordinator = service.coordinator] _ in coordinator.fail(ClusterError(.closed))
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
        try TerminationSignals.watch { [coordinator = service.coordinator] _ in coordinator.abandon() }
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

/// A job that is ready for workers.
private struct JobService {
    let coordinator: Coordinator
    private let job: JobFile
    private let preparation: ModelPreparation
    private let calibration: DatasetSource
    private let evaluation: DatasetSource?
    private let folder: OutputFolder
    private let lock: FolderLock
    private let instructionSet: Execution.InstructionSet
    private let display: ProgressDisplay
    private let monitor: ProgressMonitor

    init(job path: String, output: URL, endpoint: String, resume: Bool, display: ProgressDisplay) throws {
        job = try JobFile.read(path)
        try job.checkSupported()
        calibration = try job.source(job.dataset.calibration)
        evaluation = try job.dataset.evaluation.map(job.source)
        instructionSet = try job.pinnedInstructionSet()
        try ComputeLibrary.pin(instructionSet)
        preparation = try ModelPreparation(job, source: calibration)
        folder = try OutputFolder(creating: output)
        lock = try FolderLock(output)
        self.display = display
        let monitor = ProgressMonitor(display)
        self.monitor = monitor

        var configuration = CoordinatorConfiguration(
            endpoint: endpoint, library: ComputeLibrary.version, isa: instructionSet.rawValue)
        configuration.journalPath = folder.journal.path
        configuration.resume = resume
        configuration.fingerprint = try job.fingerprint(
            preparation, sources: [calibration, evaluation].compactMap(\.self))
        configuration.logger = Logger(label: "quantsim.coordinator") { _ in DisplayLogHandler(display: display) }
        configuration.progress = { monitor.take($0) }
        coordinator = try Coordinator(configuration: configuration)
    }

    /// - Parameter peakWorkerMemory: asked at the end; nil where unknown.
    func run(peakWorkerMemory: () -> Int?) throws -> Report {
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
