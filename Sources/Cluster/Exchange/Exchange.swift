import ClusterProtocol
import Foundation
import Messaging

/// Moves parts between workers: a thread of its own with its own sockets, so that bulk traffic never delays the control
/// connection and its heartbeats.
package final class Exchange: ExchangeDriver {
    /// Where other workers reach this one, and how long they are waited for.
    package struct Configuration: Sendable {
        /// Where other workers connect to; 0 for whatever port is free.
        package var port = 0
        /// In place of an endpoint's host that is left out: that of the coordinator, which this worker has connected to.
        package var defaultHost = "127.0.0.1"
        /// How long a peer may be silent after the plan, or its connection lost, before the attempt has failed.
        package var patience: Duration = .seconds(10)

        /// Any free port, on this machine.
        package init() {}
    }

    /// Where other workers connect to.
    package let port: Int
    private let inbox: Inbox<ExchangeLoop.Input>
    private let thread: NamedThread

    /// Binds and starts the thread.
    /// - Parameter report: called on the exchange's thread.
    /// - Throws: `ClusterError(.endpoint)`.
    package init(
        _ configuration: Configuration, report: @escaping @Sendable (ExchangeOutcome) -> Void
    ) throws(ClusterError) {
        let inbox = Inbox<ExchangeLoop.Input>()
        let started = Mailbox<Result<Int, ClusterError>>()
        thread = NamedThread("quantsim.exchange") {
            do {
                let loop = try ExchangeLoop(configuration, inbox: inbox, report: report)
                started.put(.success(loop.port))
                loop.run()
            } catch {
                let reason = (error as? ZeroMQError)?.reason ?? "\(error)"
                let port = configuration.port == 0 ? "any port" : "port \(configuration.port)"
                started.put(.failure(ClusterError(.endpoint, expected: "\(port) for other workers", found: reason)))
            }
        }
        self.inbox = inbox
        guard let result = started.takeAll(timeout: .seconds(30)).first else {
            throw ClusterError(.endpoint, expected: "a port", found: "no answer")
        }
        port = try result.get()
    }

    /// The host of an endpoint; this machine's for one that has none, as `ipc://`.
    package static func host(of endpoint: String) -> String {
        guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") else { return "127.0.0.1" }
        return String(endpoint[endpoint.index(endpoint.startIndex, offsetBy: 6)..<colon])
    }

    /// Begins an attempt; a former one is forgotten. From any thread.
    package func start(_ plan: ExchangePlan, own: PeerID, reduction: any PartReduction) {
        reduction.observe { [weak inbox] in inbox?.put(.progressed) }
        inbox.put(.start(plan, own: own, reduction))
    }

    /// Forgets the attempt that runs, if one does. From any thread.
    package func stop() { inbox.put(.stop) }

    /// Ends the thread, for which it waits 5 s at most.
    package func close() {
        inbox.put(.close)
        thread.join(timeout: .seconds(5))
    }
}
