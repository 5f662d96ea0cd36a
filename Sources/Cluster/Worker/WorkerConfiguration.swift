import Foundation
import Logging
import Messaging

public struct WorkerConfiguration: Sendable {
    /// The coordinator's: `tcp://host:port` or `ipc://path`. Nothing else is needed to take part in its job.
    public var endpoint: String
    /// Shards that are computed at once, each on a thread of its own.
    public var lanes: Int
    public var compute: ComputeIdentity
    public var limits = ProtocolLimits()
    public var logger = Logger(label: "quantsim.worker")
    /// Of a lane's thread, in bytes.
    public var laneStackSize = 16 << 20
    /// Where other workers connect to for exchanges: any free port where nil, none where 0.
    public var peerPort: Int?

    public init(endpoint: String, lanes: Int, compute: ComputeIdentity) {
        self.endpoint = endpoint
        self.lanes = lanes
        self.compute = compute
    }
}
