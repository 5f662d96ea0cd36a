import Cluster
import Datasets
import Execution
import Foundation
import Logging
import Support

/// A job that is ready for workers.
struct JobService {
    let coordinator: Coordinator
    private let job: JobFile
    private let preparation: ModelPreparation
    private let calibration: DatasetSource
    private let training: DatasetSource?
    private let evaluation: DatasetSource?
    private let checkpoints: TrainingCheckpoints?
    private let folder: OutputFolder
    private let lock: FolderLock
    private let instructionSet: InstructionSet
    private let display: ProgressDisplay
    private let monitor: ProgressMonitor

    init(job path: String, output: URL, endpoint: String, resume: Bool, display: ProgressDisplay) throws {
        var job = try JobFile.read(path)
        calibration = try job.source(job.dataset.calibration)
        training = try job.trainingSource()
        evaluation = try job.evaluationSource()
        self.job = job
        instructionSet = try job.pinnedInstructionSet()
        try ComputeLibrary.pin(instructionSet)
        preparation = try ModelPreparation(job, source: calibration, training: training)
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
            preparation, sources: [calibration, training, evaluation].compactMap(\.self), instructionSet: instructionSet
        )
        // Who watches a live line wants to hear of trouble only.
        configuration.logger = Logger(label: "quantsim.coordinator") { _ in
            DisplayLogHandler(display: display, level: display.isLive ? .warning : .info)
        }
        configuration.progress = { monitor.take($0) }
        coordinator = try Coordinator(configuration: configuration)
        // After the coordinator, which has refused to resume another job.
        checkpoints = try job.training.map { [folder, configuration] training in
            try TrainingCheckpoints(
                folder.checkpoints, job: configuration.fingerprint, seed: UInt64(training.seed), resume: resume)
        }
    }

    /// - Parameter peakWorkerMemory: asked at the end; nil where unknown.
    func run(peakWorkerMemory: () -> Int?) throws -> Report {
        var pipeline = Pipeline(
            job, preparation, calibration: calibration, training: training, evaluation: evaluation,
            checkpoints: checkpoints, output: folder, coordinator: coordinator, display: display)
        let digest = try pipeline.run()
        let report = Report(
            job: job, stages: pipeline.stages, training: pipeline.trainingSummary, digest: digest,
            instructionSet: instructionSet.rawValue,
            workersSeen: monitor.mostWorkers,
            peakMemory: Report.PeakMemoryReport(coordinator: PeakMemory.bytes(), worker: peakWorkerMemory()),
            libraries: ["oneDNN": ComputeLibrary.version])
        try writeAtomically(report.json(), to: folder.report)
        try writeAtomically(HTMLReport(report, analysis: pipeline.analysis).page(), to: folder.reportPage)
        return report
    }
}
