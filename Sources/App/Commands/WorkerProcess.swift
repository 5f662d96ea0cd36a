import Cluster
import ClusterProtocol
import Execution
import Foundation
import Logging
import Passes
import Support

/// `quantsim worker`: computes for a coordinator until its job is done.
public enum WorkerProcess {
    /// - Returns: why the worker ended; an error is thrown where it cannot begin.
    public static func run(_ options: WorkerOptions) throws -> ExitReason {
        var configuration = WorkerConfiguration(
            endpoint: options.endpoint, lanes: options.lanes ?? ProcessInfo.processInfo.activeProcessorCount,
            compute: ComputeIdentity(
                library: ComputeLibrary.version,
                supportedISAs: ComputeLibrary.supportedInstructionSets.map(\.rawValue),
                machine: MachineDescription.current))
        configuration.peerPort = options.peerPort
        let display = ProgressDisplay()
        configuration.logger = Logger(label: "quantsim.worker") { _ in DisplayLogHandler(display: display) }
        // The launcher's own log tells of its workers' comings and goings.
        if options.exitsWithParent { configuration.logger.logLevel = .warning }
        let worker = Worker(
            configuration: configuration, factory: PassExecutors(describing: ShardFailure.init(describing:)))
        try TerminationSignals.watch { _ in worker.stop() }
        if options.exitsWithParent { ParentWatch.onEnd { worker.stop() } }
        switch try worker.run() {
        case .finished: return .done
        case .drained: return .drained
        case .refused(let refusal):
            throw ClusterError(refusal)
        case .jobFailed(let code):
            // The launcher says itself what went wrong.
            if options.exitsWithParent { return .permanent }
            throw ClusterError(
                ClusterError.Code(rawValue: code) ?? .callback, found: "the coordinator has ended the job")
        case .expelled(let reason):
            throw ClusterError(.expelled, found: reason)
        case .coordinatorLost:
            throw ClusterError(
                .coordinatorLost,
                found: "\(options.endpoint), for \(configuration.limits.patience.components.seconds) seconds")
        }
    }
}
