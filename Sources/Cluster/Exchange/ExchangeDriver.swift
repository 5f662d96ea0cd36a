import Foundation
import Messaging

/// What a worker's loop asks of whatever moves parts between workers.
package protocol ExchangeDriver: Sendable {
    /// Where other workers connect to; 0 where they cannot.
    var port: Int { get }
    /// Begins an attempt; a former one is forgotten.
    func start(_ plan: ExchangePlan, own: PeerID, reduction: any PartReduction)
    /// Forgets the attempt that runs, if one does.
    func stop()
    /// Ends for good.
    func close()
}

/// How an attempt ended. `own` tells it from one of a former session, whose coordinator may have numbered alike.
package enum ExchangeOutcome: Sendable {
    /// - Parameter digest: of what the pass's step has led to.
    case exchanged(own: PeerID, pass: Int, attempt: Int, digest: Data)
    /// Some peers cannot be reached, or what they send makes no sense.
    case failed(own: PeerID, pass: Int, attempt: Int, peers: [PeerID], reason: String)
}
