import Foundation
import Messaging

/// What the coordinator's state is told, and what it answers.
extension CoordinatorState {
    package struct Identity: Equatable, Sendable {
        package var job: String
        /// Greater in every life of the coordinator: tokens of former lives are recognised by it.
        package var epoch: UInt32
        /// Compared with a worker's as a whole.
        package var library: String
        package var isa: String

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

    package enum Event: Sendable {
        case received(RoutingID, Envelope<WorkerMessage>)
        /// Bytes that are no message; nil when the sender is not even named like a worker.
        case undecodable(RoutingID?, WireError)
        /// A message could not be sent: there is no such connection any more.
        case unreachable(RoutingID)
        case artifactAdded(ArtifactID, Data)
        case artifactRemoved(ArtifactID)
        case passBegan(PassStart)
        case shardRead(Shard)
        /// The source has no more shards than this many.
        case sourceEnded(shards: Int)
        /// The results of these shards are merged and durably so.
        case committed([Int])
        /// The result's bytes are not what its digest says; it was not merged.
        case resultRejected(shard: Int)
        /// The job cannot go on, for a reason outside of the protocol.
        case failed(ClusterError)
        case finish
        case tick
    }

    package enum Action: Sendable {
        case send(RoutingID, Envelope<CoordinatorMessage>)
        /// What is still to be sent to this peer need not be.
        case forget(PeerID)
        case readShards(Int)
        case merge(ReceivedResult)
        /// All results of the pass were handed over: commit them without waiting for more.
        case flush
        case passCompleted(PassCompletion)
        /// Without a result; another pass may follow.
        case passEnded(ClusterError)
        case jobFailed(ClusterError)
        case log(LogEvent)
    }

    package struct PassStart: Sendable {
        package var pass: Int
        package var name: String
        package var descriptor: Data
        package var artifacts: [ArtifactID]
        package var committed: CommittedShards
        /// One of many short passes that are not journaled is not worth a line of the log.
        package var isJournaled: Bool
        package var isReduced: Bool

        package init(
            pass: Int, name: String, descriptor: Data, artifacts: [ArtifactID], committed: CommittedShards,
            isJournaled: Bool = true, isReduced: Bool = false
        ) {
            self.pass = pass
            self.name = name
            self.descriptor = descriptor
            self.artifacts = artifacts
            self.committed = committed
            self.isJournaled = isJournaled
            self.isReduced = isReduced
        }
    }

    package struct PassCompletion: Equatable, Sendable {
        package var samples: Int
        package var shards: Int
        package var seconds: Double
        package var failedAttempts: Int
        /// Of a reduced pass.
        package var digest: Data?
        package var workersLackingState: Int
    }

    package struct ReceivedResult: Sendable {
        package var pass: Int
        package var shard: Int
        package var sampleCount: Int
        package var digest: SHA256Digest
        package var result: Data
        package var worker: String
        /// Since the pass's first lease in this life of the coordinator.
        package var elapsed: Duration
    }
}
