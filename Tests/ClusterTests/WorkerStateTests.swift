import ClusterProtocol
import Foundation
import Messaging
import Support
import Testing

/// The worker's protocol, event by event.
@Suite struct WorkerStateTests {
    @Test func itSaysHelloOnceItsConnectionStands() {
        var script = WorkerScript(lanes: 3)
        #expect(script.on(.started).openedLinks == [PeerID(worker: "w", incarnation: 1)])
        #expect(
            script.connects().messages == [
                .hello(
                    .init(
                        peer: PeerID(worker: "w", incarnation: 1), lanes: 3,
                        compute: ComputeIdentity(library: "lib 1", supportedISAs: ["avx2"]), host: "h", process: 1))
            ])
    }

    @Test func itAsksForTwoLeasesALane() throws {
        var script = WorkerScript(lanes: 2)
        #expect(
            script.isReady().messages.suffix(2) == [.passReady(pass: 0, probe: nil), .request(pass: 0, credits: 4)])
        let items = (1...4).flatMap { script.isLeased($0, counter: UInt32($0)).items }
        #expect(items.map(\.shard) == [1, 2, 3, 4])
        let after = try script.computes(items.first).messages
        #expect(after.count == 2)
        #expect(after.last == .request(pass: 0, credits: 1))
    }

    @Test func itFetchesWhatItLacksInOrderAndAhead() {
        var limits = ProtocolLimits()
        limits.fetchWindow = 2
        limits.chunkSize = 4
        var script = WorkerScript(limits: limits)
        let model = Data("model bytes".utf8)
        let id = SHA256Digest(of: model)
        var begin = WorkerScript.pass(0)
        begin.artifacts = [ArtifactReference(id: id, size: model.count)]
        _ = script.on(.started) + script.connects() + script.isWelcomed()
        #expect(
            script.hears(.passBegin(begin)).messages == [
                .fetch(artifact: id, offset: 0), .fetch(artifact: id, offset: 4),
            ])
        #expect(
            script.hears(.artifactChunk(artifact: id, offset: 0, chunk: model[0..<4])).messages == [
                .fetch(artifact: id, offset: 8)
            ])
        // The session breaks; what has arrived is not fetched again.
        _ = script.on(.disconnected(incarnation: 1))
        script.now = script.now + .seconds(1)
        _ = script.on(.tick) + script.connects() + script.isWelcomed()
        #expect(
            script.hears(.passBegin(begin)).messages == [
                .fetch(artifact: id, offset: 4), .fetch(artifact: id, offset: 8),
            ])
        _ = script.hears(.artifactChunk(artifact: id, offset: 4, chunk: model[4..<8]))
        let actions = script.hears(.artifactChunk(artifact: id, offset: 8, chunk: model[8...]))
        #expect(actions.setUps.map(\.artifacts) == [[id: model]])
        #expect(actions.setUps.first?.isa == "avx2")
    }

    /// What a worker has no room for ends its pass and not the worker.
    @Test func anArtifactThatCannotBeKeptFailsThePass() {
        struct Full: ArrivingArtifact {
            let count = 0

            func append(_ chunk: Data, at offset: Int) throws(FileError) -> Bool {
                throw FileError(.write, path: "/full", systemError: ENOSPC)
            }

            func take() -> Data { Data() }
        }
        var script = WorkerScript()
        script.state = WorkerState(
            identity: .init(
                worker: "w", lanes: 1, compute: ComputeIdentity(library: "lib 1", supportedISAs: ["avx2"]), host: "h",
                process: 1), limits: ProtocolLimits(), keeping: { _ in Full() })
        var begin = WorkerScript.pass(0)
        let id = SHA256Digest(of: Data("model".utf8))
        begin.artifacts = [ArtifactReference(id: id, size: 5)]
        _ = script.on(.started) + script.connects() + script.isWelcomed() + script.hears(.passBegin(begin))
        let reason = String(cString: strerror(ENOSPC))
        #expect(
            script.hears(.artifactChunk(artifact: id, offset: 0, chunk: Data("model".utf8))).messages == [
                .passFailed(
                    pass: 0,
                    ShardFailure(permanent: false, code: "artifactNotKept", fields: ["file": "/full", "found": reason]))
            ])
    }

    @Test func aPayloadInChunksIsPutTogether() {
        var script = WorkerScript()
        _ = script.isReady()
        let token = LeaseToken(epoch: 1, counter: 1)
        let lease = CoordinatorMessage.LeaseMessage(
            pass: 0, shard: 0, token: token, sampleCount: 1, size: 6, chunk: Data("ab".utf8))
        #expect(script.hears(.lease(lease)).items.isEmpty)
        #expect(script.hears(.leaseChunk(token: token, offset: 2, chunk: Data("cd".utf8))).items.isEmpty)
        let items = script.hears(.leaseChunk(token: token, offset: 4, chunk: Data("ef".utf8))).items
        #expect(items.map(\.payload) == [Data("abcdef".utf8)])
    }

    @Test(arguments: [0, 4, 6]) func aChunkOutOfPlaceEndsTheSession(offset: Int) {
        var script = WorkerScript()
        _ = script.isReady()
        let token = LeaseToken(epoch: 1, counter: 1)
        let lease = CoordinatorMessage.LeaseMessage(
            pass: 0, shard: 0, token: token, sampleCount: 1, size: 6, chunk: Data("ab".utf8))
        _ = script.hears(.lease(lease))
        #expect(script.hears(.leaseChunk(token: token, offset: offset, chunk: Data("c".utf8))).closesLink)
    }

    @Test func missingMessagesEndTheSession() {
        var script = WorkerScript()
        _ = script.isReady()
        script.sequence += 1
        #expect(script.isLeased(0, counter: 1).closesLink)
        script.now = script.now + .seconds(1)
        #expect(script.on(.tick).openedLinks == [PeerID(worker: "w", incarnation: 2)])
    }

    @Test func repeatedMessagesAreIgnored() {
        var script = WorkerScript()
        _ = script.isReady()
        #expect(script.isLeased(0, counter: 1).items.count == 1)
        script.sequence -= 1
        #expect(script.isLeased(0, counter: 1).isEmpty)
    }

    @Test func aResultIsSentAgainUntilItIsAcknowledged() throws {
        var script = WorkerScript()
        _ = script.isReady()
        let item = script.isLeased(0, counter: 1).items.first
        let sent = try script.computes(item).messages.results
        #expect(sent.count == 1)
        for _ in 0..<2 {
            _ = script.on(.disconnected(incarnation: script.incarnation))
            #expect(script.comesBack().messages.results == sent)
        }
        _ = script.hears(.ack(tokens: [LeaseToken(epoch: 1, counter: 1)]))
        _ = script.on(.disconnected(incarnation: script.incarnation))
        #expect(script.comesBack().messages.results.isEmpty)
    }

    @Test func whatComputesWhileTheSessionIsLostIsSentInTheNext() throws {
        var script = WorkerScript()
        _ = script.isReady()
        let computing = script.isLeased(0, counter: 1).items.first
        _ = script.isLeased(1, counter: 2)
        let lost = script.on(.disconnected(incarnation: 1))
        #expect(lost.cancelled == [LeaseToken(epoch: 1, counter: 1), LeaseToken(epoch: 1, counter: 2)])
        // The first had begun.
        #expect(script.on(.cancelled([LeaseToken(epoch: 1, counter: 2)])).messages.isEmpty)
        #expect(try script.computes(computing).messages.isEmpty)
        let messages = script.comesBack().messages
        #expect(messages.results.map(\.shard) == [0])
        #expect(messages.last == .request(pass: 0, credits: 2))
    }

    @Test func anotherEpochCountsOnNothingOfTheFormer() throws {
        var script = WorkerScript()
        _ = script.isReady()
        let items = (1...2).flatMap { script.isLeased($0, counter: UInt32($0)).items }
        _ = try script.computes(items.first)
        _ = script.on(.disconnected(incarnation: 1))
        let messages = script.comesBack(epoch: 2).messages
        #expect(messages.results.isEmpty)
        // The pass is the same and stays set up; one lane is still busy with the former epoch's shard.
        #expect(messages.suffix(2) == [.passReady(pass: 0, probe: nil), .request(pass: 0, credits: 1)])
        #expect(try script.computes(items.last).messages == [.request(pass: 0, credits: 1)])
    }

    @Test func anotherPassDropsWhatBelongedToTheOneBefore() throws {
        var script = WorkerScript()
        _ = script.isReady()
        let item = script.isLeased(0, counter: 1).items.first
        let actions = script.hears(.passBegin(WorkerScript.pass(1)))
        #expect(actions.cancelled == [LeaseToken(epoch: 1, counter: 1)])
        #expect(actions.setUps.map(\.number) == [2])
        #expect(try script.computes(item).messages.isEmpty)
        #expect(script.on(.setUpDone(1, probe: nil)).messages.isEmpty)
        #expect(
            script.on(.setUpDone(2, probe: nil)).messages == [
                .passReady(pass: 1, probe: nil), .request(pass: 1, credits: 2),
            ])
    }

    @Test func silenceEndsTheSessionAndPatienceTheWorker() {
        var limits = ProtocolLimits()
        limits.patience = .seconds(20)
        var script = WorkerScript(limits: limits)
        _ = script.isReady()
        var actions: [WorkerState.Action] = []
        for _ in 0..<13 {
            script.now = script.now + .milliseconds(250)
            actions += script.on(.tick)
        }
        #expect(actions.closesLink)
        for _ in 0..<100 {
            script.now = script.now + .milliseconds(250)
            actions += script.on(.tick)
        }
        #expect(actions.exits == [.coordinatorLost])
        #expect(script.state.isOver)
    }

    @Test func aControlConnectionThatStandsStillEndsTheSession() {
        var script = WorkerScript()
        _ = script.isReady()
        var actions: [WorkerState.Action] = []
        for _ in 0..<44 {
            script.now = script.now + .milliseconds(250)
            let counts = HeartbeatMessage(sent: script.sequence + 1, received: 0)
            actions += script.on(.received(.heartbeat, Envelope(sequence: 0, message: .heartbeat(counts))))
            actions += script.on(.tick)
        }
        #expect(actions.closesLink)
    }

    @Test func refusalsAndShutdownsEndIt() {
        let refusal = Refusal(.library, expected: "lib 2", found: "lib 1")
        let ends: [(CoordinatorMessage, WorkerExit)] = [
            (.refused(refusal), .refused(refusal)), (.shutdown(reason: .finished, detail: ""), .finished),
            (.shutdown(reason: .jobFailed, detail: "x"), .jobFailed("x")),
            (.shutdown(reason: .expelled, detail: "hung"), .expelled("hung")),
        ]
        for (message, exit) in ends {
            var script = WorkerScript()
            _ = script.on(.started) + script.connects()
            let uncounted = script.on(.received(.control, Envelope(sequence: 0, message: message)))
            #expect(uncounted.exits == [exit])
            script = WorkerScript()
            _ = script.isReady()
            let counted = script.hears(message)
            #expect(counted.exits == [exit])
            #expect(counted.messages == [.goodbye])
        }
        var script = WorkerScript()
        _ = script.on(.started) + script.connects()
        let actions = script.on(.undecodable(WireError(.protocolVersion, expected: "1", found: "2")))
        #expect(actions.exits == [.refused(Refusal(.protocolVersion, expected: "2", found: "1"))])
    }

    @Test func aDrainingWorkerReturnsWhatHasNotBegunAndFinishesTheRest() throws {
        var script = WorkerScript()
        _ = script.isReady()
        let computing = script.isLeased(0, counter: 1).items.first
        _ = script.isLeased(1, counter: 2)
        let (first, second) = (LeaseToken(epoch: 1, counter: 1), LeaseToken(epoch: 1, counter: 2))
        #expect(script.on(.stop).cancelled == [first, second])
        #expect(script.on(.cancelled([second])).messages == [.returned(tokens: [second])])
        let result = try script.computes(computing)
        #expect(result.messages.results.map(\.shard) == [0])
        #expect(result.exits.isEmpty)
        let end = script.hears(.ack(tokens: [first]))
        #expect(end.messages == [.goodbye])
        #expect(end.exits == [.drained])
    }

    @Test func drainingHasADeadlineAndASecondStopNone() {
        for isImpatient in [true, false] {
            var script = WorkerScript()
            _ = script.isReady()
            _ = script.isLeased(0, counter: 1)
            #expect(script.on(.stop).exits.isEmpty)
            #expect(script.on(.cancelled([])).exits.isEmpty)
            if isImpatient {
                #expect(script.on(.stop).exits == [.drained])
            } else {
                script.now = script.now + .seconds(9)
                #expect(script.on(.tick).exits == [.drained])
            }
        }
    }

    @Test func aWorkerThatIsNotPartOfAJobStopsAtOnce() {
        var script = WorkerScript()
        _ = script.on(.started)
        #expect(script.on(.stop).exits == [.drained])
    }

    @Test func whileTheCoordinatorIsBehindNothingMoreIsAskedFor() throws {
        var limits = ProtocolLimits()
        limits.unacknowledgedResults = 3
        limits.unacknowledgedBytes = 10
        var script = WorkerScript(limits: limits)
        _ = script.isReady()
        var asked = 2
        for counter in 1...3 as ClosedRange<UInt32> {
            let item = script.isLeased(Int(counter), counter: counter).items.first
            for case .request(_, let credits) in try script.computes(item).messages { asked += credits }
        }
        // The third result makes it enough.
        #expect(asked == 4)
        let tokens = (1...3).map { LeaseToken(epoch: 1, counter: $0) }
        #expect(script.hears(.ack(tokens: tokens)).messages == [.request(pass: 0, credits: 1)])
    }
}
