import ClusterProtocol
import Foundation
import Messaging
import Support
import Testing

/// The coordinator's protocol in passes that workers reduce among themselves, event by event.
@Suite struct CoordinatorReductionTests {
    let alice = PeerID(worker: "alice", incarnation: 1)
    let bob = PeerID(worker: "bob", incarnation: 1)
    let carol = PeerID(worker: "carol", incarnation: 1)

    struct Planned {
        var script: CoordinatorScript
        var leases: [PeerID: CoordinatorMessage.LeaseMessage]
        var actions: [CoordinatorState.Action]
    }

    /// A pass of as many shards as workers, one leased to each: the plan is out.
    func planned(_ peers: [PeerID], limits: ProtocolLimits = ProtocolLimits()) throws -> Planned {
        var script = CoordinatorScript(limits: limits)
        for (index, peer) in peers.enumerated() { _ = script.joins(peer, port: 7001 + index) }
        _ = script.begins(shards: peers.count, isReduced: true)
        for peer in peers { _ = script.says(peer, .passReady(pass: 0, probe: nil)) }
        var leases: [PeerID: CoordinatorMessage.LeaseMessage] = [:]
        var actions: [CoordinatorState.Action] = []
        for peer in peers {
            actions = script.says(peer, .request(pass: 0, credits: 1))
            leases[peer] = actions.leases(to: peer).first
        }
        try #require(leases.count == peers.count)
        return Planned(script: script, leases: leases, actions: actions)
    }

    /// As `planned`, and all results are there.
    func computed(_ peers: [PeerID]) throws -> CoordinatorScript {
        var planned = try planned(peers)
        for peer in peers {
            let lease = try #require(planned.leases[peer])
            let actions = planned.script.results(peer, lease)
            #expect(actions.merges.isEmpty && actions.acks(to: peer) == [lease.token])
        }
        return planned.script
    }

    func reduced(_ digest: String = "d", attempt: Int = 1) -> WorkerMessage {
        .reduced(pass: 0, attempt: attempt, digest: Data(digest.utf8))
    }

    func gone(_ peer: PeerID) -> CoordinatorState.Event { .unreachable(RoutingID(peer: peer, channel: .control)) }

    @Test func thePlanComesOnceEveryShardIsInSomebodysHandsAndResultsCountOnceAllAgree() throws {
        var planned = try planned([alice, bob])
        let plan = ExchangePlan(
            pass: 0, attempt: 1,
            roster: [
                .init(peer: alice, endpoint: "tcp://:7001", shards: [0]),
                .init(peer: bob, endpoint: "tcp://:7002", shards: [1]),
            ])
        #expect(planned.actions.plans(to: alice) == [plan] && planned.actions.plans(to: bob) == [plan])
        for peer in [alice, bob] { _ = planned.script.results(peer, try #require(planned.leases[peer])) }
        #expect(planned.script.says(alice, reduced()).merges.isEmpty)
        #expect(planned.script.says(bob, reduced()).merges.map(\.shard) == [0, 1])
        let outcomes = planned.script.on(.committed([0, 1])).outcomes
        #expect(outcomes.map(\.digest) == [Data("d".utf8)])
        #expect(outcomes.map(\.samples) == [20])
    }

    @Test func whatAWorkerContributedIsLostWithIt() throws {
        var script = CoordinatorScript()
        for peer in [alice, bob] { _ = script.joins(peer, port: 7000) }
        _ = script.begins(shards: 2, isReduced: true)
        for peer in [alice, bob] { _ = script.says(peer, .passReady(pass: 0, probe: nil)) }
        let lease = try #require(script.says(alice, .request(pass: 0, credits: 1)).leases(to: alice).first)
        _ = script.results(alice, lease)
        _ = script.on(gone(alice))
        let actions = script.says(bob, .request(pass: 0, credits: 2))
        #expect(actions.leases(to: bob).map(\.shard) == [0, 1])
        #expect(actions.plans(to: bob).map { $0.roster.map(\.shards) } == [[[0, 1]]])
    }

    @Test func aParticipantThatDiesIsReplacedInAnotherAttempt() throws {
        var script = try computed([alice, bob])
        _ = script.says(bob, reduced())
        // All that live have reported, and every result is there.
        #expect(script.on(gone(alice)).merges.map(\.shard) == [0, 1])
        // Carol lives and may need what only Bob had.
        var other = try computed([alice, bob, carol])
        _ = other.says(alice, reduced())
        #expect(other.on(gone(bob)).merges.isEmpty)
        let again = other.says(alice, .request(pass: 0, credits: 1))
        #expect(again.leases(to: alice).map(\.shard) == [1])
        let plans = again.plans(to: carol)
        #expect(plans.map(\.attempt) == [2])
        #expect(plans.first?.roster.map(\.shards) == [[0, 1], [2]])
        // Reports of the attempt before are of no use any more.
        #expect(other.says(carol, reduced(attempt: 1)).merges.isEmpty)
        _ = other.results(alice, try #require(again.leases(to: alice).first))
        #expect(other.says(carol, reduced(attempt: 2)).merges.isEmpty)
        #expect(other.says(alice, reduced(attempt: 2)).merges.count == 3)
    }

    @Test func anExchangeMayBeDoneBeforeALaneTellsOfItsShard() throws {
        var planned = try planned([alice])
        #expect(planned.script.says(alice, reduced()).merges.isEmpty)
        let actions = planned.script.results(alice, try #require(planned.leases[alice]))
        #expect(actions.merges.map(\.shard) == [0])
    }

    @Test func aResultThatDiedWithItsWorkerIsComputedAgainThoughTheStepIsTaken() throws {
        var planned = try planned([alice, bob])
        _ = planned.script.results(alice, try #require(planned.leases[alice]))
        _ = planned.script.says(alice, reduced())
        #expect(planned.script.on(gone(bob)).merges.isEmpty)
        let actions = planned.script.says(alice, .request(pass: 0, credits: 1))
        let lease = try #require(actions.leases(to: alice).first)
        #expect(lease.shard == 1 && actions.plans(to: alice).map(\.attempt) == [2])
        _ = planned.script.results(alice, lease)
        #expect(planned.script.says(alice, reduced(attempt: 2)).merges.count == 2)
    }

    @Test func whoDiffersFromTheMajorityIsExpelled() throws {
        var script = try computed([alice, bob, carol])
        _ = script.says(alice, reduced())
        _ = script.says(bob, reduced("e"))
        let actions = script.says(carol, reduced())
        #expect(actions.merges.count == 3)
        #expect(actions.messages(to: bob) == [.shutdown(reason: .expelled, detail: "expelled")])
        #expect(script.on(.committed([0, 1, 2])).outcomes.map(\.digest) == [Data("d".utf8)])
    }

    @Test func withoutAMajorityThePassEndsAndTheJobGoesOn() throws {
        var script = try computed([alice, bob])
        _ = script.says(alice, reduced())
        let actions = script.says(bob, reduced("e"))
        #expect(actions.endings.map(\.code) == [.replicasDiffer])
        #expect(actions.failures.isEmpty && actions.merges.isEmpty)
        #expect(script.begins(shards: 1, isReduced: true).messages(to: alice).count == 1)
    }

    @Test func whoLacksTheStateTakesNoPart() throws {
        var script = CoordinatorScript()
        for peer in [alice, bob] { _ = script.joins(peer, port: 7000) }
        _ = script.begins(shards: 1, isReduced: true)
        let failure = ShardFailure(permanent: false, code: ShardFailure.stateMissing)
        _ = script.says(alice, .passFailed(pass: 0, failure))
        _ = script.says(bob, .passReady(pass: 0, probe: nil))
        let actions = script.says(bob, .request(pass: 0, credits: 1))
        #expect(actions.plans(to: alice).isEmpty && actions.plans(to: bob).map(\.roster.count) == [1])
        _ = script.results(bob, try #require(actions.leases(to: bob).first))
        var other = script
        _ = script.says(bob, reduced())
        #expect(script.on(.committed([0])).outcomes.map(\.workersLackingState) == [1])
        // With Bob goes the state.
        #expect(other.on(gone(bob)).endings.map(\.code) == [.stateLost])
    }

    @Test func whatIsDoneNeedsNoStateAnyMore() throws {
        var script = try computed([alice])
        _ = script.joins(bob, port: 7002)
        _ = script.says(bob, .passFailed(pass: 0, ShardFailure(permanent: false, code: ShardFailure.stateMissing)))
        #expect(script.says(alice, reduced()).merges.count == 1)
        #expect(script.on(gone(alice)).endings.isEmpty)
        #expect(script.on(.committed([0])).outcomes.count == 1)
    }

    @Test func anExchangeThatFailsIsTriedAgainOnce() throws {
        var script = try computed([alice, bob])
        let failure = WorkerMessage.reductionFailed(pass: 0, attempt: 1, peers: [bob], reason: "lost")
        #expect(script.says(alice, failure).plans(to: bob).map(\.attempt) == [2])
        // Bob tells of the same attempt.
        #expect(script.says(bob, .reductionFailed(pass: 0, attempt: 1, peers: [alice], reason: "lost")).endings.isEmpty)
        let actions = script.says(bob, .reductionFailed(pass: 0, attempt: 2, peers: [alice], reason: "lost"))
        #expect(
            actions.endings == [
                ClusterError(.exchangeFailed, pass: "p", worker: "bob", found: "lost (alice)")
            ])
    }

    @Test func whoCannotBeReachedMakesAnExchangeImpossible() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice, port: 7001)
        _ = script.joins(bob, port: 0)
        _ = script.begins(shards: 1, isReduced: true)
        _ = script.says(bob, .passReady(pass: 0, probe: nil))
        _ = script.says(alice, .passReady(pass: 0, probe: nil))
        #expect(script.says(alice, .request(pass: 0, credits: 1)).endings.map(\.worker) == ["bob"])
    }

    @Test func whoIsSettingUpIsWaitedForButNotForEver() throws {
        var script = CoordinatorScript()
        _ = script.joins(alice, port: 7001)
        _ = script.begins(shards: 1, isReduced: true)
        _ = script.says(alice, .passReady(pass: 0, probe: nil))
        _ = script.joins(bob, port: 7002)
        let lease = script.says(alice, .request(pass: 0, credits: 1))
        #expect(lease.plans(to: alice).isEmpty)
        _ = script.results(alice, try #require(lease.leases(to: alice).first))
        var patient = script
        #expect(patient.says(bob, .passReady(pass: 0, probe: nil)).plans(to: bob).map(\.roster.count) == [2])
        #expect(script.waits(59, [alice, bob]).plans(to: alice).isEmpty)
        #expect(script.waits(2, [alice, bob]).plans(to: alice).map(\.roster.count) == [1])
        // Who comes after the plan takes no part in it.
        #expect(script.says(bob, .passReady(pass: 0, probe: nil)).plans(to: bob).isEmpty)
        #expect(script.says(bob, reduced("e")).merges.isEmpty)
        #expect(script.says(alice, reduced()).merges.count == 1)
    }

    @Test func whatAParticipantGivesBackIsPlannedAnew() throws {
        var planned = try planned([alice, bob])
        _ = planned.script.results(alice, try #require(planned.leases[alice]))
        _ = planned.script.says(bob, .returned(tokens: [try #require(planned.leases[bob]).token]))
        let actions = planned.script.says(alice, .request(pass: 0, credits: 1))
        #expect(actions.leases(to: alice).map(\.shard) == [1])
        #expect(actions.plans(to: alice).map { $0.roster.map(\.shards) } == [[[0, 1], []]])
    }

    @Test func aWorkerWhoseShardFailsBeginsAnew() throws {
        var planned = try planned([alice, bob])
        let lease = try #require(planned.leases[alice])
        let failure = ShardFailure(permanent: false, code: "memory")
        let actions = planned.script.says(
            alice, .shardFailed(pass: 0, shard: lease.shard, token: lease.token, failure))
        // Parts of the shard may be in its sums.
        #expect(actions.messages(to: alice) == [.rejoin])
        #expect(planned.script.says(bob, .request(pass: 0, credits: 1)).leases(to: bob).map(\.shard) == [0])
    }

    @Test func aDamagedSummaryIsComputedAgainByAnother() throws {
        var planned = try planned([alice, bob])
        let lease = try #require(planned.leases[alice])
        let message = WorkerMessage.ResultMessage(
            pass: 0, shard: lease.shard, token: lease.token, digest: SHA256Digest(of: Data("r".utf8)), size: 1,
            computeNanoseconds: 1, chunk: Data("x".utf8))
        #expect(
            planned.script.says(alice, .result(message)).messages(to: alice) == [
                .shutdown(reason: .expelled, detail: "expelled")
            ])
        // Also where the damage came after all had agreed.
        var script = try computed([alice, bob])
        _ = script.says(alice, reduced())
        #expect(script.says(bob, reduced()).merges.count == 2)
        _ = script.on(.resultRejected(shard: 0, reason: "damaged"))
        let again = try #require(script.says(bob, .request(pass: 0, credits: 1)).leases(to: bob).first)
        #expect(script.results(bob, again).merges.map(\.shard) == [0])
        #expect(script.on(.committed([0, 1])).outcomes.count == 1)
    }

    @Test func slowShardsAreWaitedForUntilOneTellsHowLongTheyTake() throws {
        var planned = try planned([alice, bob])
        #expect(planned.script.waits(200, [alice, bob]).messages(to: alice).isEmpty)
        #expect(planned.script.state.workersAlive == 2)
        // Ten times as long as that, then.
        planned = try self.planned([alice, bob])
        planned.script.now = planned.script.now + .seconds(1)
        _ = planned.script.results(bob, try #require(planned.leases[bob]))
        let actions = planned.script.waits(31, [alice, bob])
        #expect(actions.messages(to: alice) == [.shutdown(reason: .expelled, detail: "hung")])
    }
}
