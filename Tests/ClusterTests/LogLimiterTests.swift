import ClusterProtocol
import Messaging
import Testing

/// Which lines of the log may be left out.
@Suite struct LogLimiterTests {
    private func kept(_ event: LogLine, times: Int, of limiter: inout LogLimiter, at seconds: Int64) -> Int {
        (0..<times).count { _ in limiter.allows(event, now: Moment(nanoseconds: seconds * 1_000_000_000)) }
    }

    @Test func whatStrangersCanRepeatIsKeptTenTimesAMinute() {
        var limiter = LogLimiter()
        let event = LogLine(.warning, "a visitor at the port", isRepeatable: true)
        #expect(kept(event, times: 100, of: &limiter, at: 5) == 10)
        #expect(kept(LogLine(.warning, "another", isRepeatable: true), times: 3, of: &limiter, at: 6) == 3)
        #expect(kept(event, times: 100, of: &limiter, at: 65) == 0)
        #expect(kept(event, times: 100, of: &limiter, at: 66) == 10)
    }

    /// Whatever its words are.
    @Test func aLineOfTheJobsOwnIsNeverLeftOut() {
        var limiter = LogLimiter()
        #expect(kept(LogLine(.warning, "a step is refused"), times: 100, of: &limiter, at: 5) == 100)
    }

    @Test func whatAnybodyMaySendIsRepeatable() {
        var script = CoordinatorScript()
        let alice = PeerID(worker: "alice", incarnation: 1)
        let source = RoutingID(peer: alice, channel: .control)
        let actions =
            script.on(.undecodable(nil, WireError(.notOurs))) + script.on(.undecodable(source, WireError(.notOurs)))
            + script.joins(alice, library: "lib 2")
        let events = actions.compactMap { if case .log(let event) = $0 { event } else { nil } }
        #expect(events.map(\.message) == ["stranger refused", "message refused", "worker refused"])
        #expect(events.map(\.isRepeatable) == [true, true, true])
        let own = script.joins(PeerID(worker: "bob", incarnation: 1))
        for case .log(let event) in own { #expect(!event.isRepeatable) }
    }
}
