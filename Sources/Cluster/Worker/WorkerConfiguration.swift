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
    /// Makes what moves parts between workers, from the coordinator's endpoint and a receiver of outcomes.
    package typealias MakeExchange =
        @Sendable (
            _ coordinator: String, _ report: @escaping @Sendable (ExchangeOutcome) -> Void
        ) throws -> any ExchangeDriver
    /// Nil for a worker that takes part in no exchange with others.
    package var makeExchange: MakeExchange? = { coordinator, report in
        var configuration = Exchange.Configuration()
        configuration.defaultHost = Exchange.host(of: coordinator)
        return try Exchange(configuration, report: report)
    }

    public init(endpoint: String, lanes: Int, compute: ComputeIdentity) {
        self.endpoint = endpoint
        self.lanes = lanes
        self.compute = compute
    }
}
