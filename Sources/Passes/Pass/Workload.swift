import Cluster
import ClusterProtocol
import Foundation
import Graph
import ONNX
import Support
import Synchronization
import Tensors

/// What workers compute in a pass. A workload is one type, in a folder of its own beside its executor, lane, result and merge;
/// its value is the pass's descriptor. With the artifacts that it names and a shard's payload it determines the shard's result
/// to the last bit. `PassExecutors` lists the workloads.
package protocol Workload: Codable, Equatable, Sendable {
    /// Tells workloads apart in descriptors.
    static var name: String { get }

    /// What a worker computes the shards of the pass with.
    /// - Throws: any error of what it makes; `ShardFailure` where the descriptor or an artifact is not what it should be.
    func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor

    /// Tells what `probe` computes; nil where nothing is computed whose bits could differ between machines.
    func probeSubject() throws -> SHA256Digest?

    /// What a fixed computation gives on this machine; nil where there is none. Not computed twice by one worker.
    /// - Throws: as the computation does.
    func probe(_ worker: WorkerContext) throws -> SHA256Digest?

    /// Whether `makeExecutor` or `probe` will ask for an artifact of the pass. Must be quick.
    /// - Parameter memory: what the worker keeps from former passes.
    func needs(_ artifact: ArtifactID, _ memory: WorkerMemory) -> Bool
}

extension Workload {
    /// Every artifact is needed.
    package func needs(_ artifact: ArtifactID, _ memory: WorkerMemory) -> Bool { true }

    /// The pass's descriptor: equal workloads are equal bytes.
    package func encoded() throws -> Data {
        try Descriptor(workload: Self.name, task: self).stableJSON()
    }

    /// SHA-256 of the descriptor: of equal digests, passes over the same samples have equal results.
    package func digest() throws -> Data { SHA256Digest(of: try encoded()).bytes }

    /// - Throws: `DecodingError`, also for the descriptor of another workload.
    package init(decoding data: Data) throws {
        let descriptor = try JSONDecoder().decode(Descriptor<Self>.self, from: data)
        guard descriptor.workload == Self.name else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "a descriptor of \(descriptor.workload), not of \(Self.name)"))
        }
        self = descriptor.task
    }
}

/// A workload as it travels.
private struct Descriptor<Task: Codable>: Codable {
    var workload: String
    var task: Task
}

/// Tells which workload a descriptor is of.
struct WorkloadName: Decodable {
    var workload: String

    init(ofDescriptor data: Data) throws {
        self = try JSONDecoder().decode(WorkloadName.self, from: data)
    }
}

/// What a worker has when it sets up a pass.
package struct WorkerContext {
    /// What the worker keeps from pass to pass.
    package let memory: WorkerMemory
    private let artifacts: (ArtifactID) throws -> Data

    /// - Parameter artifacts: gives the artifacts of the pass.
    package init(memory: WorkerMemory, artifacts: @escaping (ArtifactID) throws -> Data) {
        self.memory = memory
        self.artifacts = artifacts
    }

    /// An artifact of the pass by its digest.
    /// - Throws: `ShardFailure` where the bytes are no digest, or the pass has no such artifact.
    package func artifact(_ digest: Data) throws -> Data {
        guard let id = ArtifactID(bytes: digest) else { throw ShardFailure(permanent: true, code: "descriptor") }
        return try artifacts(id)
    }

    /// The graph in an artifact that is the file of a `PackedModel`.
    /// - Throws: as `artifact`; `ONNXError` or `GraphError` where it is no model.
    package func graph(_ digest: Data) throws -> Graph {
        let data = try artifact(digest)
        let file = try ONNXFile(decoding: data)
        var tensors: [String: TensorStorage] = [:]
        for location in file.externalLocations {
            guard let id = ArtifactID(hexadecimal: location) else { continue }
            tensors[location] = TensorStorage(viewing: try artifacts(id))
        }
        return try Graph(importing: ONNXFile(model: file.model, name: file.name, externalData: tensors))
    }
}

/// What a worker keeps from one pass to the next, one value a type.
package final class WorkerMemory: Sendable {
    private let values = Mutex<[ObjectIdentifier: any Sendable]>([:])

    /// Of a worker that has had no pass.
    package init() {}

    /// The value of a type, made at the first call.
    package func value<Value: Sendable>(make: () -> Value) -> Value {
        values.withLock { values in
            if let known = values[ObjectIdentifier(Value.self)] as? Value { return known }
            let made = make()
            values[ObjectIdentifier(Value.self)] = made
            return made
        }
    }
}
