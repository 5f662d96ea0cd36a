import ClusterProtocol
import Foundation
import Messaging
import Support
import Testing

/// The coordinator's protocol, event by event: results that come late, twice or never.
@Suite struct CoordinatorTroubleTests {
    let alice = PeerID(worker: "alice", incarnation: 1)
    let bob = PeerID(worker: "bob", incarnation: 1)

    @Test func aLateResultIsComparedAndNotMerged() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 2)
        let first = script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice)
        // Alice comes back as a new incarnation while her lane still computes; Bob gets the shard.
        let again = PeerID(worker: "alice", incarnation: 2)
        _ = script.joins(again)
        let second = script.says(bob, .request(pass: 0, credits: 1)).leases(to: bob)
        #expect(second.map(\.shard) == [0])
        #expect(script.results(bob, second[0]).merges.count == 1)
        #expect(script.results(again, first[0]).merges.isEmpty)
        // Both are told once it is committed.
        let actions = script.on(.committed([0]))
        #expect(actions.acks(to: bob) == [second[0].token])
        #expect(actions.acks(to: again) == [first[0].token])
    }

    @Test func aLateResultOfAShardThatWaitsIsWelcome() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 1)
        let lease = try #require(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).first)
        let again = PeerID(worker: "alice", incarnation: 2)
        _ = script.joins(again)
        #expect(script.results(again, lease).merges.map(\.shard) == [0])
        #expect(script.says(again, .request(pass: 0, credits: 1)).leases(to: again).isEmpty)
    }

    @Test(arguments: [false, true]) func resultsThatDifferFailTheJob(isCommitted: Bool) throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 2)
        let first = try #require(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).first)
        let again = PeerID(worker: "alice", incarnation: 2)
        _ = script.joins(again)
        let second = try #require(script.says(bob, .request(pass: 0, credits: 1)).leases(to: bob).first)
        _ = script.results(bob, second, "one")
        if isCommitted { _ = script.on(.committed([0])) }
        let actions = script.results(again, first, "another")
        #expect(actions.failures.map(\.code) == [.resultsDiffer])
        #expect(actions.failures.first?.shard == 0)
        #expect(actions.failures.first?.worker == "alice")
        #expect(actions.messages(to: bob) == [.shutdown(reason: .jobFailed, detail: "resultsDiffer")])
        #expect(
            script.joins(PeerID(worker: "carol", incarnation: 1)).messages(to: PeerID(worker: "carol", incarnation: 1))
                == [.shutdown(reason: .jobFailed, detail: "resultsDiffer")])
    }

    @Test func tokensOfAFormerLifeAreFenced() {
        var script = CoordinatorScript(epoch: 5)
        _ = script.joins(alice)
        _ = script.begins(shards: 1)
        let stale = CoordinatorMessage.LeaseMessage(
            pass: 0, shard: 0, token: LeaseToken(epoch: 4, counter: 1), sampleCount: 1, size: 1, chunk: Data())
        let actions = script.results(alice, stale)
        #expect(actions.merges.isEmpty)
        #expect(actions.acks(to: alice) == [stale.token])
    }

    @Test func committedShardsOfAFormerLifeAreNotLeased() {
        var committed = CommittedShards()
        committed.insert(0, digest: SHA256Digest(of: Data()), samples: 10)
        committed.insert(2, digest: SHA256Digest(of: Data()), samples: 10)
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 4, committed: committed)
        let leases = script.says(alice, .request(pass: 0, credits: 9)).leases(to: alice)
        #expect(leases.map(\.shard) == [1, 3])
        for lease in leases { _ = script.results(alice, lease) }
        #expect(script.on(.committed([1, 3])).completions.map(\.samples) == [40])
    }

    @Test func aLeaseExpiresAndItsLateResultStillCounts() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 1)
        let first = try #require(script.says(alice, .request(pass: 0, credits: 2)).leases(to: alice).first)
        _ = script.says(bob, .request(pass: 0, credits: 1))
        let actions = script.waits(31, [alice, bob])
        // Not to Alice, though she has credit: she holds it.
        #expect(actions.leases(to: alice).isEmpty)
        #expect(actions.leases(to: bob).map(\.shard) == [0])
        #expect(actions.messages(to: alice).contains(.revoke(tokens: [first.token])))
        let late = script.results(alice, first)
        #expect(late.merges.map(\.shard) == [0])
        #expect(late.messages(to: bob).contains { if case .revoke = $0 { true } else { false } })
    }

    @Test func aWorkerWhoseLanesHangIsToldToGo() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 3)
        _ = script.says(alice, .request(pass: 0, credits: 1))
        let actions = script.waits(301, [alice])
        #expect(actions.messages(to: alice).contains(.shutdown(reason: .expelled, detail: "hung")))
        let again = PeerID(worker: "alice", incarnation: 2)
        #expect(script.joins(again).messages(to: again) == [.shutdown(reason: .expelled, detail: "")])
    }

    @Test func stragglersAreRepeatedByIdleWorkers() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 2)
        let first = script.says(alice, .request(pass: 0, credits: 2)).leases(to: alice)
        script.now = script.now + .milliseconds(500)
        _ = script.results(alice, first[0])
        _ = script.says(bob, .request(pass: 0, credits: 2))
        #expect(script.waits(0.75, [alice, bob]).leases(to: bob).isEmpty)
        // Three medians after it was granted; once only.
        let repeated = script.waits(5, [alice, bob]).leases(to: bob)
        #expect(repeated.map(\.shard) == [1])
        let actions = script.results(bob, try #require(repeated.first))
        #expect(actions.merges.count == 1)
        #expect(actions.messages(to: alice).contains(.revoke(tokens: [first[1].token])))
    }

    @Test func returnedLeasesAreGivenAgainInOrder() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 4)
        let leases = script.says(alice, .request(pass: 0, credits: 3)).leases(to: alice)
        _ = script.says(alice, .returned(tokens: leases.map(\.token)))
        #expect(script.says(bob, .request(pass: 0, credits: 4)).leases(to: bob).map(\.shard) == [0, 1, 2, 3])
    }

    @Test func aPermanentFailureEndsTheJob() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 1)
        let lease = try #require(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).first)
        let failure = ShardFailure(permanent: true, code: "decode", fields: ["file": "a.jpg"])
        let actions = script.says(alice, .shardFailed(pass: 0, shard: 0, token: lease.token, failure))
        #expect(
            actions.failures == [
                ClusterError(.shardFailed, pass: "p", shard: 0, worker: "alice", failure: failure)
            ])
    }

    @Test func aFailureThatMayPassIsTriedAgainAFewTimes() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 1)
        let failure = ShardFailure(permanent: false, code: "memory")
        var actions = script.says(alice, .request(pass: 0, credits: 9))
        for attempt in 1...3 {
            let lease = try #require(actions.leases(to: alice).first)
            actions = script.says(alice, .shardFailed(pass: 0, shard: 0, token: lease.token, failure))
            #expect(actions.failures.count == (attempt == 3 ? 1 : 0))
        }
    }

    @Test func aShardThatKillsItsWorkersEndsTheJob() {
        var limits = ProtocolLimits()
        limits.shardLosses = 3
        var script = CoordinatorScript(limits: limits)
        _ = script.begins(shards: 1)
        for number in 1...3 {
            let peer = PeerID(worker: "w\(number)", incarnation: 1)
            _ = script.joins(peer)
            #expect(script.says(peer, .request(pass: 0, credits: 1)).leases(to: peer).count == 1)
            let actions = script.on(.unreachable(RoutingID(peer: peer, channel: .control)))
            #expect(actions.failures.map(\.code) == (number == 3 ? [.shardLost] : []))
        }
    }

    @Test func missingMessagesEndTheSession() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 1)
        #expect(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).count == 1)
        script.sequences[alice] = 5
        #expect(script.says(alice, .passReady(pass: 0, probe: nil)).messages(to: alice) == [.rejoin])
        #expect(script.says(alice, .passReady(pass: 0, probe: nil)).messages(to: alice) == [.rejoin])
        #expect(script.state.workersAlive == 0)
    }

    @Test func aControlConnectionThatStandsStillEndsTheSession() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.waits(60, [alice])
        #expect(script.state.workersAlive == 1)
        // Heartbeats tell of a message that never comes.
        var actions: [CoordinatorState.Action] = []
        for _ in 0..<44 {
            script.now = script.now + .milliseconds(250)
            actions += script.beats(alice, sent: 2) + script.on(.tick)
        }
        #expect(script.state.workersAlive == 0)
        #expect(actions.messages(to: alice).contains(.rejoin))
    }

    @Test func resultsInChunksArePutTogether() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 1)
        let lease = try #require(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).first)
        let data = Data("abcdefgh".utf8)
        _ = script.says(
            alice,
            .result(
                .init(
                    pass: 0, shard: 0, token: lease.token, digest: SHA256Digest(of: data), size: 8,
                    computeNanoseconds: 0, chunk: data.prefix(3))))
        _ = script.says(alice, .resultChunk(token: lease.token, offset: 3, chunk: data[3..<6]))
        let actions = script.says(alice, .resultChunk(token: lease.token, offset: 6, chunk: data[6...]))
        #expect(actions.merges.map(\.result) == [data])
    }

    @Test(arguments: [2, 4, 9]) func aChunkOutOfPlaceEndsTheSession(offset: Int) throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.begins(shards: 1)
        let lease = try #require(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).first)
        _ = script.says(
            alice,
            .result(
                .init(
                    pass: 0, shard: 0, token: lease.token, digest: SHA256Digest(of: Data()), size: 8,
                    computeNanoseconds: 0, chunk: Data([1, 2, 3]))))
        _ = script.says(alice, .resultChunk(token: lease.token, offset: offset, chunk: Data([1])))
        #expect(script.state.workersAlive == 0)
    }

    @Test func aDamagedResultIsComputedAgainByAnother() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        _ = script.joins(bob)
        _ = script.begins(shards: 1)
        let lease = try #require(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).first)
        _ = script.says(bob, .request(pass: 0, credits: 1))
        _ = script.results(alice, lease)
        let actions = script.on(.resultRejected(shard: 0, reason: "damaged"))
        #expect(actions.leases(to: bob).map(\.shard) == [0])
        #expect(actions.messages(to: alice) == [.shutdown(reason: .expelled, detail: "expelled")])
    }

    @Test func finishingTellsEveryoneAndWaitsForGoodbyes() {
        var script = CoordinatorScript()
        _ = script.joins(alice)
        #expect(script.on(.finish).messages(to: alice) == [.shutdown(reason: .finished, detail: "")])
        #expect(script.joins(bob).messages(to: bob) == [.shutdown(reason: .finished, detail: "")])
        #expect(!script.state.isFinished)
        _ = script.says(alice, .goodbye)
        #expect(script.state.isFinished)
    }
}
