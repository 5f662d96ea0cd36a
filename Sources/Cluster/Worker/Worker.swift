import ClusterProtocol
import Foundation
import Logging
import Messaging

/// A worker: joins the job of the coordinator at an endpoint and computes shards until it is told to go.
public final class Worker: Sendable {
    private let configuration: WorkerConfiguration
    private let factory: any PassExecutorFactory
    private let inbox = Inbox<WorkerState.Event>()

    /// A worker that does nothing before `run`.
    public init(configuration: WorkerConfiguration, factory: any PassExecutorFactory) {
        self.configuration = configuration
        self.factory = factory
    }

    /// Works until the end, on the calling thread, which becomes the network thread. To be called once.
    ///
    /// - Throws: `ClusterError` `.endpoint`, `.mistakenEndpoint`.
    public func run() throws -> WorkerExit {
        do {
            let loop = try WorkerLoop(configuration: configuration, factory: factory, inbox: inbox)
            return try loop.run()
        } catch let error as ZeroMQError {
            throw ClusterError(error, endpoint: configuration.endpoint)
        }
    }

    /// Drains: what computes is finished, other leases go back, then `run` returns. A second call ends it at once.
    /// May be called from any thread, not from a signal handler itself.
    public func stop() {
        inbox.put(.stop)
    }
}

/// What a worker needs to know before it joins a job.
public struct WorkerConfiguration: Sendable {
    /// The coordinator's: `tcp://host:port` or `ipc://path`. Nothing else is needed to take part in its job.
    public var endpoint: String
    /// Shards that are computed at once, each on a thread of its own.
    public var lanes: Int
    /// What this machine computes with: the coordinator takes it or refuses it.
    public var compute: ComputeIdentity
    /// Times and sizes of the protocol; those that both sides must agree on are the coordinator's.
    public var limits = ProtocolLimits()
    /// Where the worker tells what happens.
    public var logger = Logger(label: "quantsim.worker")
    /// Of a lane's thread, in bytes.
    public var laneStackSize = 16 << 20
    /// Where other workers connect to for exchanges: any free port where nil, none where 0.
    public var peerPort: Int?

    /// A worker with the usual limits, which others reach at any free port.
    public init(endpoint: String, lanes: Int, compute: ComputeIdentity) {
        self.endpoint = endpoint
        self.lanes = lanes
        self.compute = compute
    }
}
