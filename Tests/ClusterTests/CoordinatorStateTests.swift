import ClusterProtocol
import Foundation
import Messaging
import Testing

/// The coordinator's protocol, event by event: who takes part, and how a pass goes.
@Suite struct CoordinatorStateTests {
    let alice = PeerID(worker: "alice", incarnation: 1)
    let bob = PeerID(worker: "bob", incarnation: 1)

    @Test func aWorkerThatFitsIsWelcome() {
        var script = CoordinatorScript()
        let messages = script.joins(alice).messages(to: alice)
        #expect(
            messages == [
                .welcome(
                    .init(
                        job: "job", epoch: 2, isa: "avx2", heartbeatIntervalMilliseconds: 1000,
                        heartbeatTimeoutMilliseconds: 3000))
            ])
    }

    @Test func aWorkerOfAnotherLibraryOrMachineIsRefused() {
        var script = CoordinatorScript()
        #expect(
            script.joins(alice, library: "lib 2").messages(to: alice) == [
                .refused(Refusal(.library, expected: "lib 1", found: "lib 2"))
            ])
        #expect(
            script.joins(bob, isas: ["sse41"]).messages(to: bob) == [
                .refused(Refusal(.instructionSet, expected: "avx2", found: "sse41"))
            ])
        #expect(script.state.workersAlive == 0)
    }

    @Test func anotherProtocolVersionIsRefusedAndTheRestIgnored() {
        var script = CoordinatorScript()
        let source = RoutingID(peer: alice, channel: .control)
        let actions = script.on(.undecodable(source, WireError(.protocolVersion, expected: "1", found: "9")))
        #expect(
            actions.messages(to: alice) == [
                .refused(Refusal(.protocolVersion, expected: "\(WireLimits.protocolVersion)", found: "9"))
            ])
        #expect(script.on(.undecodable(nil, WireError(.notOurs))).logs == ["stranger refused"])
    }

    @Test func shardsAreLeasedForCreditsAndAcknowledgedOnceCommitted() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        #expect(script.begins(shards: 3).leases(to: alice).isEmpty)
        let leases = script.says(alice, .request(pass: 0, credits: 2)).leases(to: alice)
        #expect(leases.map(\.shard) == [0, 1])
        #expect(leases.map(\.token) == [LeaseToken(epoch: 2, counter: 1), LeaseToken(epoch: 2, counter: 2)])
        #expect(leases.map(\.chunk) == [Data([0]), Data([1])])
        let actions = script.results(alice, leases[1])
        #expect(actions.merges.map(\.shard) == [1])
        #expect(actions.acks(to: alice).isEmpty)
        #expect(script.on(.committed([1])).acks(to: alice) == [leases[1].token])
    }

    @Test func aPassEndsWithItsLastCommit() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 2)
        let leases = script.says(alice, .request(pass: 0, credits: 2)).leases(to: alice)
        script.now = script.now + .seconds(3)
        #expect(!script.results(alice, leases[0]).contains { if case .flush = $0 { true } else { false } })
        #expect(script.results(alice, leases[1]).contains { if case .flush = $0 { true } else { false } })
        let end = try #require(script.on(.committed([0, 1])).completions.first)
        #expect(end == .init(samples: 20, shards: 2, seconds: 3))
    }

    @Test func aPassOfNothingEndsAtOnce() {
        var script = CoordinatorScript()
        #expect(script.begins(shards: 0).completions == [.init(samples: 0, shards: 0, seconds: 0)])
    }

    @Test func readingAheadFollowsCredits() {
        var limits = ProtocolLimits()
        limits.readAhead = 3
        var script = CoordinatorScript(limits: limits)
        _ = script.joins(alice)
        let start = CoordinatorState.PassStart(
            pass: 0, name: "p", descriptor: Data(), artifacts: [], committed: CommittedShards())
        #expect(script.on(.passBegan(start)).reads == 3)
        #expect(script.says(alice, .request(pass: 0, credits: 2)).reads == 2)
        // Leased at once, so the next may be read.
        #expect(script.on(.shardRead(Shard(index: 0, sampleCount: 1, payload: Data()))).reads == 0)
        #expect(script.says(alice, .request(pass: 0, credits: 1)).reads == 1)
    }

    @Test func aSilentWorkersShardsGoToAnother() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 2)
        let first = script.says(alice, .request(pass: 0, credits: 2)).leases(to: alice)
        _ = script.says(bob, .request(pass: 0, credits: 2))
        let second = script.waits(3.5, [bob]).leases(to: bob)
        #expect(second.map(\.shard) == [0, 1])
        #expect(second[0].token > first[1].token)
        #expect(script.state.workersAlive == 1)
    }

    @Test func anUnreachableWorkersShardsGoToAnotherAtOnce() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 1)
        _ = script.says(alice, .request(pass: 0, credits: 1))
        _ = script.says(bob, .request(pass: 0, credits: 1))
        let actions = script.on(.unreachable(RoutingID(peer: alice, channel: .heartbeat)))
        #expect(actions.leases(to: bob).map(\.shard) == [0])
    }
}
