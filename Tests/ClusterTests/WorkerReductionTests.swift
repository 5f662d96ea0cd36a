import ClusterProtocol
import Foundation
import Messaging
import Support
import Testing

/// The worker's protocol in passes that are reduced, event by event.
@Suite struct WorkerReductionTests {
    func ready(pass: Int = 0) -> WorkerScript {
        var script = WorkerScript()
        let actions =
            script.on(.started) + script.connects() + script.isWelcomed()
            + script.hears(.passBegin(WorkerScript.pass(pass, isReduced: true)))
        for setUp in actions.setUps { _ = script.on(.setUpDone(setUp.number, probe: nil)) }
        return script
    }

    func plan(pass: Int = 0, attempt: Int = 1, incarnation: UInt64 = 1) -> CoordinatorMessage {
        let own = PeerID(worker: "w", incarnation: incarnation)
        return .exchange(
            ExchangePlan(
                pass: pass, attempt: attempt, roster: [.init(peer: own, endpoint: "tcp://:1", shards: [0])]))
    }

    func exchanged(incarnation: UInt64 = 1) -> WorkerState.Event {
        .exchanged(
            own: PeerID(worker: "w", incarnation: incarnation), pass: 0, attempt: 1, digest: Data("d".utf8))
    }

    @Test func itExchangesWhatItsLanesHaveComputedAndTellsTheDigest() {
        var script = ready()
        #expect(script.hears(plan()).exchanges == [1])
        #expect(script.on(exchanged()).messages == [.reduced(pass: 0, attempt: 1, digest: Data("d".utf8))])
        let peer = PeerID(worker: "v", incarnation: 3)
        let failure = WorkerState.Event.exchangeFailed(
            own: PeerID(worker: "w", incarnation: 1), pass: 0, attempt: 1, peers: [peer], reason: "lost")
        #expect(
            script.on(failure).messages == [.reductionFailed(pass: 0, attempt: 1, peers: [peer], reason: "lost")])
    }

    @Test func anExchangeOfAnotherPassOrWithoutThisWorkerEndsTheSession() {
        for message in [plan(pass: 1), plan(incarnation: 2)] {
            var script = ready()
            #expect(script.hears(message).closesLink)
        }
        var unreduced = WorkerScript()
        _ = unreduced.isReady()
        #expect(unreduced.hears(plan()).closesLink)
    }

    @Test func aLostSessionForgetsAllOfAReducedPass() throws {
        var script = ready()
        let items = (1...2).flatMap { script.isLeased($0, counter: UInt32($0)).items }
        _ = try script.computes(items.first)
        _ = script.hears(plan())
        let lost = script.on(.disconnected(incarnation: 1))
        #expect(lost.endsExchange)
        #expect(lost.cancelled == [LeaseToken(epoch: 1, counter: 2)])
        script.now = script.now + .seconds(5)
        let back =
            script.on(.tick) + script.connects() + script.isWelcomed()
            + script.hears(.passBegin(WorkerScript.pass(0, isReduced: true)))
        #expect(back.setUps.map(\.number) == [2])
        #expect(back.messages.results.isEmpty)
        // What the former session's lanes and exchange come to has no place in this one.
        #expect(try script.computes(items.last).isEmpty)
        _ = script.on(.setUpDone(2, probe: nil))
        _ = script.hears(plan(incarnation: 2))
        #expect(script.on(exchanged(incarnation: 1)).messages.isEmpty)
        #expect(script.on(exchanged(incarnation: 2)).messages.count == 1)
    }

    @Test func theNextPassEndsTheExchange() {
        var script = ready()
        _ = script.hears(plan())
        #expect(script.hears(.passBegin(WorkerScript.pass(1))).endsExchange)
        #expect(script.on(exchanged()).messages.isEmpty)
    }

    @Test func artifactsThatItDoesWithoutAreNotFetched() {
        let (kept, other) = (SHA256Digest(of: Data("kept".utf8)), SHA256Digest(of: Data("other".utf8)))
        var script = WorkerScript()
        script.unneeded = [kept]
        var begin = WorkerScript.pass(0, isReduced: true)
        begin.artifacts = [ArtifactReference(id: kept, size: 4), ArtifactReference(id: other, size: 5)]
        _ = script.on(.started) + script.connects() + script.isWelcomed()
        #expect(script.hears(.passBegin(begin)).messages == [.fetch(artifact: other, offset: 0)])
        let chunk = Data("other".utf8)
        #expect(
            script.hears(.artifactChunk(artifact: other, offset: 0, chunk: chunk)).setUps.map(\.artifacts) == [
                [other: chunk]
            ])
    }

    /// Otherwise a worker that joins a training of short steps would never come to its end.
    @Test func aFetchGoesOnInTheNextPass() {
        var limits = ProtocolLimits()
        limits.fetchWindow = 1
        limits.chunkSize = 4
        var script = WorkerScript(limits: limits)
        let model = Data("model bytes".utf8)
        let id = SHA256Digest(of: model)
        _ = script.on(.started) + script.connects() + script.isWelcomed()
        func begin(_ pass: Int) -> CoordinatorMessage {
            var begin = WorkerScript.pass(pass, isReduced: true)
            begin.artifacts = [ArtifactReference(id: id, size: model.count)]
            return .passBegin(begin)
        }
        #expect(script.hears(begin(0)).messages == [.fetch(artifact: id, offset: 0)])
        #expect(script.hears(begin(1)).messages.isEmpty)
        _ = script.hears(.artifactChunk(artifact: id, offset: 0, chunk: model[0..<4]))
        // A pass without it, then one with it again: what was asked for before still arrives.
        _ = script.hears(.passBegin(WorkerScript.pass(2)))
        #expect(script.hears(begin(3)).messages == [.fetch(artifact: id, offset: 0)])
        #expect(script.hears(.artifactChunk(artifact: id, offset: 4, chunk: model[4..<8])).isEmpty)
        _ = script.hears(.artifactChunk(artifact: id, offset: 0, chunk: model[0..<4]))
        _ = script.hears(.artifactChunk(artifact: id, offset: 4, chunk: model[4..<8]))
        #expect(
            script.hears(.artifactChunk(artifact: id, offset: 8, chunk: model[8...])).setUps.map(\.artifacts) == [
                [id: model]
            ])
    }
}
