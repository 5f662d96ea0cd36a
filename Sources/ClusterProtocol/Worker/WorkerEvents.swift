import Foundation
import Messaging
import Support

/// What the worker's state is told, and what it answers.
extension WorkerState {
    /// What a worker tells of itself.
    package struct Identity: Equatable, Sendable {
        /// Unique among all workers of all times.
        package var worker: String
        /// Shards that it computes at once.
        package var lanes: Int
        /// What it computes with.
        package var compute: ComputeIdentity
        /// The machine's name, for people.
        package var host: String
        /// The process's id, for people.
        package var process: Int
        /// Where other workers connect to for exchanges; 0 where they cannot.
        package var exchangePort: Int

        /// A worker of these parts.
        package init(
            worker: String, lanes: Int, compute: ComputeIdentity, host: String, process: Int, exchangePort: Int = 0
        ) {
            self.worker = worker
            self.lanes = lanes
            self.compute = compute
            self.host = host
            self.process = process
            self.exchangePort = exchangePort
        }
    }

    /// What happens to the worker.
    package enum Event: Sendable {
        case started
        /// The control connection of this incarnation stands.
        case connected(incarnation: UInt64)
        case disconnected(incarnation: UInt64)
        case received(Channel, Envelope<CoordinatorMessage>)
        case undecodable(WireError)
        /// All lanes are ready for the set-up of this number, and what its probe gave.
        case setUpDone(Int, probe: SHA256Digest?)
        case setUpFailed(Int, ShardFailure)
        case computed(ItemID, result: Data, digest: SHA256Digest, nanoseconds: Int)
        case failed(ItemID, ShardFailure)
        /// The answer to `cancel`: these had not begun and will not.
        case cancelled([LeaseToken])
        /// The answer to `examine`: these artifacts are to be fetched.
        case needed(pass: Int, [ArtifactID])
        case exchanged(own: PeerID, pass: Int, attempt: Int, digest: Data)
        case exchangeFailed(own: PeerID, pass: Int, attempt: Int, peers: [PeerID], reason: String)
        /// The answer to `probe`: why there is no connection to the endpoint, in words.
        case probed(endpoint: String, reason: String)
        case stop
        case tick
    }

    /// What the worker is to do.
    package enum Action: Sendable {
        case openLink(PeerID)
        case closeLink
        case send(Channel, Envelope<WorkerMessage>)
        case setUp(SetUp)
        case compute(WorkItem)
        /// To be answered with `cancelled`.
        case cancel([LeaseToken])
        /// To be answered with `needed`: which of the pass's artifacts are.
        case examine(pass: Int, descriptor: Data, artifacts: [ArtifactID])
        /// To exchange what the lanes of this set-up have computed; a former exchange is over.
        case exchange(ExchangePlan, own: PeerID, setUp: Int)
        case endExchange
        /// To find out why there is no coordinator yet, beside everything else; to be answered with `probed`.
        case probe
        case exit(WorkerExit)
        case log(LogLine)
    }

    /// What a pass is computed with. Work items name it by number, so that nothing is computed with another pass's.
    package struct SetUp: Sendable {
        /// Counts up from 1 with each set-up of this worker.
        package var number: Int
        /// The pass as announced.
        package var pass: CoordinatorMessage.PassBegin
        /// The instruction set that the job is pinned to.
        package var isa: String
        /// For the executor.
        package var descriptor: Data
        /// Those that the executor needs.
        package var artifacts: [ArtifactID: Data]
    }

    /// A token alone could come again with another job.
    package struct ItemID: Hashable, Sendable {
        /// The number of the set-up that the item is computed with.
        package var setUp: Int
        /// Of the lease.
        package var token: LeaseToken
    }

    /// A shard for the lanes.
    package struct WorkItem: Sendable {
        /// What it is answered with.
        package var id: ItemID
        /// The shard's index.
        package var shard: Int
        /// Opaque.
        package var payload: Data
    }
}
