/// Who reduces what with whom: one attempt of a pass's reduction. Part p is reduced by `roster[p % roster.count]`.
public struct ExchangePlan: Equatable, Sendable {
    /// A worker that takes part in an exchange.
    public struct Participant: Equatable, Sendable {
        /// The session that takes part.
        public var peer: PeerID
        /// Where its exchange socket listens: `tcp://host:port`.
        public var endpoint: String
        /// The shards that it contributes.
        public var shards: [Int]

        public init(peer: PeerID, endpoint: String, shards: [Int]) {
            self.peer = peer
            self.endpoint = endpoint
            self.shards = shards
        }
    }

    /// Whose contributions are reduced.
    public var pass: Int
    /// Counts from 1; a later attempt replaces earlier ones.
    public var attempt: Int
    /// The same order for all; each shard of the pass belongs to exactly one participant.
    public var roster: [Participant]

    public init(pass: Int, attempt: Int, roster: [Participant]) {
        self.pass = pass
        self.attempt = attempt
        self.roster = roster
    }
}
