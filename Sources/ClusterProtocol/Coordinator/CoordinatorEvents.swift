import Foundation
import Messaging
import Support

/// What the coordinator's state is told, and what it answers.
extension CoordinatorState {
    /// What the coordinator tells and asks of workers about its job.
    package struct Identity: Equatable, Sendable {
        /// The job's name, unique among all jobs.
        package var job: String
        /// Greater in every life of the coordinator: tokens of former lives are recognised by it.
        package var epoch: UInt32
        /// Compared with a worker's as a whole.
        package var library: String
        /// The one instruction set that all workers are pinned to.
        package var isa: String

        /// An identity of these parts.
        package init(job: String, epoch: UInt32, library: String, isa: String) {
            self.job = job
            self.epoch = epoch
            self.library = library
            self.isa = isa
        }

        /// Why a worker that computes with these cannot take part, if it cannot.
        func refusal(of compute: ComputeIdentity) -> Refusal? {
            guard compute.library == library else {
                return Refusal(.library, expected: library, found: compute.library)
            }
            guard compute.supportedISAs.contains(isa) else {
                return Refusal(
                    .instructionSet, expected: isa, found: compute.supportedISAs.joined(separator: ", "))
            }
            return nil
        }
    }

    /// What happens to the coordinator.
    package enum Event: Sendable {
        case received(RoutingID, Envelope<WorkerMessage>)
        /// Bytes that are no message; nil when the sender is not even named like a worker.
        case undecodable(RoutingID?, WireError)
        /// A message could not be sent: there is no such connection any more.
        case unreachable(RoutingID)
        case artifactAdded(ArtifactID, any ArtifactContent)
        case artifactRemoved(ArtifactID)
        case passBegan(PassStart)
        case shardRead(Shard)
        /// The source has no more shards than this many.
        case sourceEnded(shards: Int)
        /// The results of these shards are merged and durably so.
        case committed([Int])
        /// The result's bytes are damaged or of no use, as the reason says; it was not merged. It is its worker's fault.
        case resultRejected(shard: Int, reason: String)
        /// The job cannot go on, for a reason outside of the protocol.
        case failed(ClusterError)
        case finish
        case tick
    }

    /// What the coordinator is to do.
    package enum Action: Sendable {
        case send(RoutingID, Envelope<CoordinatorMessage>)
        /// What is still to be sent to this peer need not be.
        case forget(PeerID)
        case readShards(Int)
        case merge(ReceivedResult)
        /// All results of the pass were handed over: commit them without waiting for more.
        case flush
        case passCompleted(PassCompletion)
        /// The first worker's answer to the pass's probe, which all others must give too: to be kept before any result is committed.
        case keepProbe(ProbeAnswer)
        /// Without a result; another pass may follow.
        case passEnded(ClusterError)
        case jobFailed(ClusterError)
        /// To tell that no worker is there, since so long.
        case tellWaiting(Duration)
        case log(LogLine)
    }

    /// A pass that begins.
    package struct PassStart: Sendable {
        /// The pass's number among all of this life of the coordinator, from 0.
        package var pass: Int
        /// For people.
        package var name: String
        /// For the executors of the workers.
        package var descriptor: Data
        /// What executors may ask for; all were added before.
        package var artifacts: [ArtifactID]
        /// What a former life has committed.
        package var committed: CommittedShards
        /// One of many short passes that are not journaled is not worth a line of the log.
        package var isJournaled: Bool
        /// Whether workers reduce among themselves what shards contribute.
        package var isReduced: Bool
        /// Nil where the pass has none.
        package var probe: Probe?

        /// A pass of these parts.
        package init(
            pass: Int, name: String, descriptor: Data, artifacts: [ArtifactID], committed: CommittedShards,
            isJournaled: Bool = true, isReduced: Bool = false, probe: Probe? = nil
        ) {
            self.pass = pass
            self.name = name
            self.descriptor = descriptor
            self.artifacts = artifacts
            self.committed = committed
            self.isJournaled = isJournaled
            self.isReduced = isReduced
            self.probe = probe
        }
    }

    /// What has come of a pass.
    package struct PassCompletion: Equatable, Sendable {
        /// Committed, those of former lives included.
        package var samples: Int
        /// Committed, those of former lives included.
        package var shards: Int
        /// From the first lease to the last commit, in this life of the coordinator.
        package var seconds: Double
        /// Attempts at shards that failed, in this life of the coordinator.
        package var failedAttempts: Int
        /// Of a reduced pass.
        package var digest: Data?
        /// Workers that could take no part because they lacked the state that others hold.
        package var workersLackingState: Int
    }

    /// A shard's result, to be merged and committed.
    package struct ReceivedResult: Sendable {
        /// The number of the pass that it is of.
        package var pass: Int
        /// The shard's index.
        package var shard: Int
        /// Samples of the shard.
        package var sampleCount: Int
        /// What the worker was given.
        package var payload: Data
        /// What the worker says that the digest of `result` is; whoever merges it checks it.
        package var digest: SHA256Digest
        /// Opaque.
        package var result: Data
        /// Who has computed it.
        package var worker: String
        /// Since the pass's first lease in this life of the coordinator.
        package var elapsed: Duration
    }
}
