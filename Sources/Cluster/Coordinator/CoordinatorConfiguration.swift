import Foundation
import Logging
import Messaging

public struct CoordinatorConfiguration: Sendable {
    /// What the coordinator binds: `tcp://host:port` (port `*` lets the system choose, host `*` all interfaces) or
    /// `ipc://path`.
    public var endpoint: String
    /// SQLite file; without one, a coordinator that dies takes its job with it.
    public var journalPath: String?
    /// Continue the journal's job, where it exists. Otherwise an existing journal is replaced.
    public var resume = false
    /// Of everything that the job's results depend on: a journal with another fingerprint is not resumed.
    public var fingerprint = Data()
    /// What every worker must compute with: the library, and the one instruction set they are all pinned to.
    public var library: String
    public var isa: String
    public var limits = ProtocolLimits()
    public var logger = Logger(label: "quantsim.coordinator")
    /// Called on the coordinator's own thread, about twice a second and at a pass's ends; it must not block.
    public var progress: (@Sendable (ClusterProgress) -> Void)?
    /// The least time between two commits. Results that arrive in between share one transaction.
    public var commitInterval: Duration = .milliseconds(50)

    public init(endpoint: String, library: String, isa: String) {
        self.endpoint = endpoint
        self.library = library
        self.isa = isa
    }
}
