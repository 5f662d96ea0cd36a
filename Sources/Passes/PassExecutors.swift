import Cluster
import ClusterProtocol
import Execution
import Foundation
import Support

/// Makes what a worker computes passes with: what `Cluster` moves as bytes has a meaning here.
package final class PassExecutors: PassExecutorFactory {
    /// All that workers can compute. A new workload is a line here.
    private static let workloads: [any Workload.Type] = [
        Calibration.self, Evaluation.self, Agreement.self, Analysis.self, LayerMoments.self, BatchNormStatistics.self,
        OptimizerStep.self, StateTransfer.self,
    ]

    private let memory = WorkerMemory()
    private let describe: @Sendable (any Error) -> ShardFailure

    /// - Parameter describe: tells what the coordinator hears of an error.
    package init(describing describe: @escaping @Sendable (any Error) -> ShardFailure) {
        self.describe = describe
    }

    /// In the words that this was made with.
    package func failure(describing error: any Error) -> ShardFailure { describe(error) }

    /// - Throws: `ExecutionError(.missingInstructionSet)`; `ShardFailure` for an unknown workload; what the workload
    ///   throws.
    package func makeExecutor(
        descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data
    ) throws -> any ShardExecutor {
        guard let instructionSet = InstructionSet(rawValue: isa) else {
            throw ExecutionError(
                .missingInstructionSet, expected: isa,
                found: ComputeLibrary.supportedInstructionSets.map(\.rawValue).joined(separator: ", "))
        }
        try ComputeLibrary.pin(instructionSet)
        let workload = try Self.workload(descriptor)
        return try withoutActuallyEscaping(artifacts) { artifacts in
            try workload.makeExecutor(WorkerContext(memory: memory, artifacts: artifacts))
        }
    }

    /// What the workload's probe gives on this machine.
    package func probe(descriptor: Data, artifacts: (ArtifactID) throws -> Data) throws -> SHA256Digest? {
        let workload = try Self.workload(descriptor)
        return try withoutActuallyEscaping(artifacts) { artifacts in
            try workload.probe(WorkerContext(memory: memory, artifacts: artifacts))
        }
    }

    /// As the workload says; all where the descriptor cannot be decoded.
    package func neededArtifacts(descriptor: Data, of artifacts: [ArtifactID]) -> [ArtifactID] {
        // What cannot be decoded is told of when its executor is made.
        guard let workload = try? Self.workload(descriptor) else { return artifacts }
        return artifacts.filter { workload.needs($0, memory) }
    }

    private static func workload(_ descriptor: Data) throws -> any Workload {
        let name = try WorkloadName(ofDescriptor: descriptor).workload
        guard let type = workloads.first(where: { $0.name == name }) else {
            throw ShardFailure(permanent: true, code: "descriptor", fields: ["found": name])
        }
        return try type.init(decoding: descriptor)
    }
}
