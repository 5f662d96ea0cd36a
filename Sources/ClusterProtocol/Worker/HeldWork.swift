import Foundation
import Messaging
import Support

/// The leases in a worker's hands, from their arrival to their results.
struct HeldLeases {
    struct Lease {
        let pass: Int
        let shard: Int
        let setUp: Int
        /// Emptied when it is handed to the lanes.
        fileprivate var payload: ArrivingBytes
    }

    /// What has come of a chunk.
    enum Arrival {
        case partial
        case whole(WorkerState.WorkItem)
        case violation
    }

    /// Asked for and not yet leased.
    private var creditsOut = 0
    private var leases: [LeaseToken: Lease] = [:]
    /// The lease whose payload is arriving: all others are with the lanes.
    private var arriving: LeaseToken?

    var count: Int { leases.count }

    var isEmpty: Bool { leases.isEmpty }

    /// Whether the next message must be a chunk.
    var isArriving: Bool { arriving != nil }

    /// In the order of granting.
    var tokens: [LeaseToken] { leases.keys.sorted() }

    func holds(_ token: LeaseToken) -> Bool { leases[token] != nil }

    /// - Returns: how many more to ask for, so that so many are held and asked for.
    mutating func request(upTo capacity: Int) -> Int {
        let wanted = max(0, capacity - creditsOut - leases.count)
        creditsOut += wanted
        return wanted
    }

    /// What was asked for will not come.
    mutating func forgetRequests() { creditsOut = 0 }

    mutating func take(_ lease: CoordinatorMessage.LeaseMessage, setUp: Int) -> Arrival {
        guard leases[lease.token] == nil, creditsOut > 0 else { return .violation }
        creditsOut -= 1
        leases[lease.token] = Lease(
            pass: lease.pass, shard: lease.shard, setUp: setUp,
            payload: ArrivingBytes(size: lease.size, first: lease.chunk))
        arriving = lease.token
        return itemIfWhole(lease.token)
    }

    mutating func append(_ chunk: Data, at offset: Int, to token: LeaseToken) -> Arrival {
        // Taken out, so that appending does not copy what is there.
        guard arriving == token, var lease = leases.removeValue(forKey: token), lease.payload.append(chunk, at: offset)
        else { return .violation }
        leases[token] = lease
        return itemIfWhole(token)
    }

    private mutating func itemIfWhole(_ token: LeaseToken) -> Arrival {
        guard var lease = leases.removeValue(forKey: token) else { return .partial }
        defer { leases[token] = lease }
        guard lease.payload.isWhole else { return .partial }
        arriving = nil
        return .whole(
            WorkerState.WorkItem(
                id: WorkerState.ItemID(setUp: lease.setUp, token: token), shard: lease.shard,
                payload: lease.payload.take()))
    }

    /// A lane is done with an item; nil where it is of no lease any more.
    mutating func finish(_ item: WorkerState.ItemID) -> Lease? {
        guard leases[item.token]?.setUp == item.setUp else { return nil }
        return leases.removeValue(forKey: item.token)
    }

    /// - Returns: those among them that are held no longer.
    mutating func giveBack(_ tokens: [LeaseToken]) -> [LeaseToken] {
        tokens.filter { leases.removeValue(forKey: $0) != nil }
    }

    /// What was given and has not arrived is given to others; what the lanes have may still be of use.
    mutating func sessionEnded() {
        creditsOut = 0
        if let token = arriving.take() { leases[token] = nil }
    }

    mutating func removeAll() { leases = [:] }
}

/// What a worker has computed, until it is acknowledged.
struct HeldResults {
    struct Result {
        let pass: Int
        let shard: Int
        let token: LeaseToken
        let digest: SHA256Digest
        let data: Data
        let nanoseconds: Int
    }

    private let limits: ProtocolLimits
    private var results: [LeaseToken: Result] = [:]
    private var bytes = 0

    init(limits: ProtocolLimits) {
        self.limits = limits
    }

    var count: Int { results.count }

    var isEmpty: Bool { results.isEmpty }

    /// In the order of their leases.
    var all: [Result] { results.sorted { $0.key < $1.key }.map(\.value) }

    /// While the coordinator is behind with committing, more results would only pile up here.
    var isFull: Bool {
        (results.count >= limits.unacknowledgedResults && bytes >= limits.unacknowledgedBytes)
            || results.count >= limits.unacknowledgedResults * 64
    }

    mutating func insert(_ result: Result) {
        results[result.token] = result
        bytes += result.data.count
    }

    mutating func drop(where condition: (Result) -> Bool) {
        for (token, result) in results where condition(result) {
            results[token] = nil
            bytes -= result.data.count
        }
    }
}
