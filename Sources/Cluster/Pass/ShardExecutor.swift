import ClusterProtocol
import Foundation
import Messaging
import Support

/// What a worker computes the shards of one pass with: shared by its lanes.
public protocol ShardExecutor: Sendable {
    associatedtype Prepared: Sendable
    associatedtype Lane: ShardLane where Lane.Prepared == Prepared

    /// Decodes a payload; on a thread that reads ahead of a lane. A thrown `ShardFailure` travels as it is.
    func prepare(shard: Int, payload: Data) throws -> Prepared
    /// Called once on each lane's own thread.
    /// - Parameter memory: what earlier lanes of this thread have kept, of this pass's kind or any other.
    func makeLane(keeping memory: LaneMemory) throws -> Lane
}

/// The executor of a pass whose workers reduce among themselves what its shards contribute; see `PassDescription.isReduced`.
public protocol ReducingExecutor: ShardExecutor {
    /// What the shards computed with this executor add to, on all lanes.
    var reduction: any PartReduction { get }
}

/// One lane's state (a plan, an arena): made, used and released on one thread.
public protocol ShardLane {
    associatedtype Prepared: Sendable

    /// The result's bytes: a pure function of the pass and the shard.
    func compute(_ prepared: Prepared) throws -> Data
}

/// Makes what a worker computes the passes of its job with.
public protocol PassExecutorFactory: Sendable {
    /// Made once a pass. `isa` is the instruction set that the job is pinned to.
    /// - Throws: `ShardFailure` of the code `ShardFailure.stateMissing` where only workers that hold some state can take
    ///   part: this one is asked again for the next pass.
    func makeExecutor(descriptor: Data, isa: String, artifacts: (ArtifactID) throws -> Data) throws -> any ShardExecutor

    /// What the pass's probe gives on this machine; nil where it has none. Called once a pass, after `makeExecutor`.
    func probe(descriptor: Data, artifacts: (ArtifactID) throws -> Data) throws -> SHA256Digest?

    /// Which of a pass's artifacts the executor will ask for. Called on the network thread: it must not take long.
    func neededArtifacts(descriptor: Data, of artifacts: [ArtifactID]) -> [ArtifactID]

    /// What the coordinator is told of an error that the factory, its executors or their lanes have thrown. Called on the thread
    /// that caught it.
    func failure(describing error: any Error) -> ShardFailure
}

extension PassExecutorFactory {
    /// An error of a type that the cluster does not know may pass: it is tried again.
    public func failure(describing error: any Error) -> ShardFailure {
        ShardFailure(permanent: false, code: "unexpected", fields: ["error": "\(error)"])
    }

    /// None.
    public func probe(descriptor: Data, artifacts: (ArtifactID) throws -> Data) throws -> SHA256Digest? { nil }

    /// All of them.
    public func neededArtifacts(descriptor: Data, of artifacts: [ArtifactID]) -> [ArtifactID] { artifacts }
}
