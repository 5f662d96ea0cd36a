import Messaging

/// Who has asked for how many leases and who holds which, and how long they take. Tokens are never given twice, so the book
/// outlasts the passes; all leases belong to the pass that runs.
struct LeaseBook {
    struct Lease {
        let shard: Int
        let peer: PeerID
        let granted: Moment
        let duration: Duration
        /// Expired or revoked: the shard no longer counts on it.
        fileprivate(set) var isOver = false
    }

    /// A worker's.
    private struct Account {
        /// Leases that it has asked for and not yet got.
        var credits = 0
        /// Held, also where they have expired; in the order of granting.
        var tokens: [LeaseToken] = []
        /// When it last answered a lease; when it joined before the first.
        var lastAnswer: Moment
        /// Leases have expired and nothing was answered since; from this time on, the lanes are taken to hang.
        var hungFrom: Moment?
    }

    private let limits: ProtocolLimits
    private let epoch: UInt32
    private var counter: UInt32 = 0
    private var leases: [LeaseToken: Lease] = [:]
    private var accounts: [PeerID: Account] = [:]
    /// By shard, the leases that it counts on.
    private var holders: [Int: [LeaseToken]] = [:]
    private var durations = RecentDurations()
    /// When the pass's first was granted.
    private(set) var firstGrant: Moment?

    init(epoch: UInt32, limits: ProtocolLimits) {
        self.epoch = epoch
        self.limits = limits
    }

    subscript(token: LeaseToken) -> Lease? { leases[token] }

    /// In the order of granting.
    var tokens: [LeaseToken] { leases.keys.sorted() }

    /// False of tokens of another life of the coordinator.
    func hasGranted(_ token: LeaseToken) -> Bool { token.epoch == epoch && token.counter <= counter }

    /// Those that a shard counts on, oldest first.
    func holders(of shard: Int) -> [LeaseToken] { holders[shard] ?? [] }

    func isHeld(_ shard: Int) -> Bool { holders[shard] != nil }

    // MARK: Workers

    mutating func open(_ peer: PeerID, now: Moment) { accounts[peer] = Account(lastAnswer: now) }

    /// Closes a worker's account.
    /// - Returns: what it held, in the order of granting. They are still to be taken back.
    mutating func close(_ peer: PeerID) -> [LeaseToken] { accounts.removeValue(forKey: peer)?.tokens ?? [] }

    /// What a worker asked for in a former pass is void.
    mutating func renew(_ peer: PeerID) {
        accounts[peer]?.credits = 0
        accounts[peer]?.hungFrom = nil
    }

    mutating func request(_ credits: Int, by peer: PeerID) {
        guard let asked = accounts[peer]?.credits else { return }
        accounts[peer]?.credits = min(asked + credits, 65536)
    }

    func credits(of peer: PeerID) -> Int { accounts[peer]?.credits ?? 0 }

    /// Who has an account.
    var peers: Set<PeerID> { Set(accounts.keys) }

    /// Of all workers.
    var credits: Int { accounts.values.reduce(0) { $0 + $1.credits } }

    var hasCredits: Bool { accounts.values.contains { $0.credits > 0 } }

    func leaseCount(of peer: PeerID) -> Int { accounts[peer]?.tokens.count ?? 0 }

    /// Whether the worker holds a lease of the shard, be it expired.
    func holds(_ peer: PeerID, shard: Int) -> Bool {
        accounts[peer]?.tokens.contains { leases[$0]?.shard == shard } ?? false
    }

    /// A worker's lanes move.
    mutating func moves(_ peer: PeerID) { accounts[peer]?.hungFrom = nil }

    /// A worker's lanes have computed something.
    mutating func answers(_ peer: PeerID, now: Moment) {
        moves(peer)
        accounts[peer]?.lastAnswer = now
    }

    // MARK: Leases

    /// All former leases are void.
    mutating func beginPass() {
        durations = RecentDurations()
        firstGrant = nil
    }

    mutating func grant(_ shard: Int, to peer: PeerID, now: Moment) -> LeaseToken {
        precondition(counter < .max, "the tokens of this epoch are used up")
        counter += 1
        let token = LeaseToken(epoch: epoch, counter: counter)
        leases[token] = Lease(shard: shard, peer: peer, granted: now, duration: leaseDuration)
        holders[shard, default: []].append(token)
        accounts[peer]?.credits -= 1
        accounts[peer]?.tokens.append(token)
        firstGrant = firstGrant ?? now
        return token
    }

    /// Nil where it is void.
    mutating func remove(_ token: LeaseToken) -> Lease? {
        guard let lease = leases.removeValue(forKey: token) else { return nil }
        accounts[lease.peer]?.tokens.removeAll { $0 == token }
        letGo(token, of: lease.shard)
        return lease
    }

    /// The shard counts on a lease no longer that its worker still holds.
    /// - Returns: the worker; nil where it is void or was over before.
    mutating func end(_ token: LeaseToken) -> PeerID? {
        guard let lease = leases[token], !lease.isOver else { return nil }
        leases[token]?.isOver = true
        letGo(token, of: lease.shard)
        return lease.peer
    }

    private mutating func letGo(_ token: LeaseToken, of shard: Int) {
        holders[shard]?.removeAll { $0 == token }
        if holders[shard]?.isEmpty ?? false { holders[shard] = nil }
    }

    /// Voids all that a worker holds and has asked for.
    mutating func void(_ peer: PeerID) -> [LeaseToken] {
        let tokens = accounts[peer]?.tokens ?? []
        for token in tokens { _ = remove(token) }
        accounts[peer]?.credits = 0
        return tokens
    }

    // MARK: Times

    mutating func took(_ duration: Duration) { durations.insert(duration) }

    private var leaseDuration: Duration {
        max(limits.minimumLeaseDuration, (durations.median ?? .zero) * limits.leaseMedians)
    }

    /// A shard on one worker's hands that takes far longer than others did, the oldest; nil where none does, or none is done.
    func straggler(now: Moment) -> Int? {
        guard let median = durations.median else { return nil }
        let age = max(limits.minimumSpeculationAge, median * limits.speculationMedians)
        return leases.filter { !$1.isOver && now - $1.granted >= age && holders(of: $1.shard).count == 1 }
            .min { $0.key < $1.key }?.value.shard
    }

    /// Whether a lease is held for so long that the lane must hang.
    func isHopeless(_ lease: Lease, now: Moment) -> Bool {
        now - lease.granted > lease.duration * limits.hungLeaseDurations
    }

    /// Whether a worker holds a lease without answering any for longer than in a reduced pass is waited for, where nobody else
    /// can be given the shard. As long as no shard of the pass is done, shards may just be slow.
    func isHolding(_ lease: Lease, now: Moment) -> Bool {
        guard let account = accounts[lease.peer] else { return false }
        let patience =
            durations.median == nil ? limits.minimumLeaseDuration * limits.hungLeaseDurations : leaseDuration
        return now - max(lease.granted, account.lastAnswer) > patience
    }

    /// Whether a lease has expired that the shard counts on.
    func isExpired(_ lease: Lease, now: Moment) -> Bool { !lease.isOver && now - lease.granted > lease.duration }

    /// A lease of the worker has expired. One that waits behind a lane that hangs is given back at once when it expires,
    /// again and again.
    /// - Returns: whether the lanes are taken to hang.
    mutating func hangs(_ peer: PeerID, since lease: Lease, now: Moment) -> Bool {
        guard let hungFrom = accounts[peer]?.hungFrom else {
            accounts[peer]?.hungFrom = now + lease.duration * limits.hungLeaseDurations
            return false
        }
        return now > hungFrom
    }

    // MARK: Invariants

    func invariantViolations() -> [String] {
        var violations: [String] = []
        for (token, lease) in leases {
            if accounts[lease.peer]?.tokens.contains(token) != true {
                violations.append("lease \(token) of a worker that is gone")
            }
            if lease.isOver == holders(of: lease.shard).contains(token) {
                violations.append("shard \(lease.shard) and its lease \(token) differ")
            }
        }
        for (shard, tokens) in holders {
            if tokens.count > 2 { violations.append("shard \(shard) is held \(tokens.count) times") }
            for token in tokens where leases[token]?.shard != shard {
                violations.append("shard \(shard) is held by a lease \(token) that is over")
            }
        }
        for (peer, account) in accounts {
            if account.credits < 0 { violations.append("\(peer) owes credits") }
            for token in account.tokens where leases[token]?.peer != peer {
                violations.append("\(peer) holds a lease not its own")
            }
        }
        return violations
    }
}

/// The times that the last shards took from lease to result: their median tells a straggler from a slow job.
private struct RecentDurations {
    private var durations: [Duration] = []
    private var next = 0

    mutating func insert(_ duration: Duration) {
        if durations.count < 63 {
            durations.append(duration)
        } else {
            durations[next] = duration
            next = (next + 1) % durations.count
        }
    }

    var median: Duration? {
        durations.isEmpty ? nil : durations.sorted()[durations.count / 2]
    }
}
