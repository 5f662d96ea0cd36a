import Cluster
import ClusterProtocol
import Datasets
import Execution
import Foundation
import JobFile
import Logging
import Reports
import Support

/// A job that is ready for workers.
package struct JobService {
    /// What workers connect to.
    package let coordinator: Coordinator
    private let pipeline: Pipeline
    private let lock: FolderLock
    private let instructionSet: InstructionSet

    /// What a job's process adds to the job.
    package struct Surroundings {
        /// ZeroMQ endpoint that workers connect to.
        package var endpoint: String
        /// What becomes of what the output folder holds.
        package var former: FormerResults
        /// Is told of stages as they go.
        package var progress: any JobProgress
        /// Receives the coordinator's log.
        package var logger: Logger
        /// What workers are told of an error that ends the job.
        package var classify: @Sendable (any Error) -> ClusterError.Code
        /// Receives how far the cluster is.
        package var clusterProgress: @Sendable (ClusterProgress) -> Void

        package init(
            endpoint: String, former: FormerResults, progress: any JobProgress, logger: Logger,
            classify: @escaping @Sendable (any Error) -> ClusterError.Code,
            clusterProgress: @escaping @Sendable (ClusterProgress) -> Void
        ) {
            self.endpoint = endpoint
            self.former = former
            self.progress = progress
            self.logger = logger
            self.classify = classify
            self.clusterProgress = clusterProgress
        }
    }

    /// What the report says of the processes that did the job.
    package struct Processes {
        /// Different workers that took part at any time.
        package var workersSeen: Int
        /// Bytes; nil parts where unknown.
        package var peakMemory: Report.PeakMemoryReport

        package init(workersSeen: Int, peakMemory: Report.PeakMemoryReport) {
            self.workersSeen = workersSeen
            self.peakMemory = peakMemory
        }
    }

    /// Reads the job, prepares its model and opens the coordinator.
    /// - Parameters:
    ///   - path: of the job file, as the user gave it.
    ///   - output: the folder that results go to.
    /// - Throws: what reading and preparing throw; `ClusterError` where the endpoint or the journal cannot be used.
    package init(job path: String, output: URL, _ surroundings: Surroundings) throws {
        var job = try JobFile.read(path)
        let sources = Pipeline.Sources(
            calibration: try job.source(job.dataset.calibration), training: try job.trainingSource(),
            evaluation: try job.evaluationSource())
        instructionSet = try job.pinnedInstructionSet()
        try ComputeLibrary.pin(instructionSet)
        let preparation = try ModelPreparation(job, source: sources.calibration, training: sources.training)
        let samples = try SampleChecks(job, of: sources.all, fit: preparation)
        let folder = try OutputFolder(creating: output)
        lock = try FolderLock(output)

        var configuration = CoordinatorConfiguration(
            endpoint: surroundings.endpoint, library: ComputeLibrary.version, isa: instructionSet.rawValue)
        configuration.journalPath = folder.journal.path
        configuration.fingerprint = try job.fingerprint(
            preparation, sources: sources.all, instructionSet: instructionSet)
        let (resume, remark) = try surroundings.former.resumes(configuration.fingerprint, in: folder)
        configuration.resume = resume
        configuration.logger = surroundings.logger
        configuration.classify = surroundings.classify
        configuration.progress = surroundings.clusterProgress
        coordinator = try Coordinator(configuration: configuration)
        // Beside a job that has begun anew they would be taken for its own.
        if !resume {
            for file in [folder.report, folder.reportPage] { try? FileManager.default.removeItem(at: file) }
        }
        if let remark { surroundings.progress.message(remark) }
        // After the coordinator, which has refused to resume another job.
        let checkpoints = try job.training.map { [configuration] training in
            try TrainingCheckpoints(
                folder.checkpoints, job: configuration.fingerprint, seed: UInt64(training.seed),
                resume: resume)
        }
        pipeline = Pipeline(
            runner: PassRunner(job: job, coordinator: coordinator, progress: surroundings.progress),
            preparation: preparation, notes: samples.notes, sources: sources, checkpoints: checkpoints, output: folder)
    }

    /// Runs all stages and writes the report.
    /// - Parameter processes: asked at the end.
    package func run(_ processes: () -> Processes) throws -> Report {
        let outcome = try pipeline.run()
        let found = processes()
        let report = Report(
            job: pipeline.runner.job, stages: outcome.stages, training: outcome.training, digest: outcome.digest,
            instructionSet: instructionSet.rawValue, workersSeen: found.workersSeen, peakMemory: found.peakMemory,
            libraries: ["oneDNN": ComputeLibrary.version])
        try writeAtomically(report.json(), to: pipeline.output.report)
        try writeAtomically(HTMLReport(report, analysis: outcome.analysis).page(), to: pipeline.output.reportPage)
        return report
    }
}
