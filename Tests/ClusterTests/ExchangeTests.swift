import Cluster
import Foundation
import Messaging
import Support
import Synchronization
import Testing

/// Exchanges over real sockets.
@Suite(.timeLimit(.minutes(2))) struct ExchangeTests {
    /// One worker's side.
    final class Side: Sendable {
        private let outcomes: Outcomes
        let exchange: Exchange

        init(patience: Duration = .seconds(10)) throws {
            let outcomes = Outcomes()
            self.outcomes = outcomes
            var configuration = Exchange.Configuration()
            configuration.patience = patience
            exchange = try Exchange(configuration) { outcomes.put($0) }
        }

        var endpoint: String { "tcp://127.0.0.1:\(exchange.port)" }

        func outcome() -> ExchangeOutcome? { outcomes.take(within: 30) }
    }

    final class Outcomes: Sendable {
        private let kept = Mutex<[ExchangeOutcome]>([])

        func put(_ outcome: ExchangeOutcome) { kept.withLock { $0.append(outcome) } }

        func take(within seconds: Int) -> ExchangeOutcome? {
            for _ in 0..<seconds * 200 {
                if let outcome = kept.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return outcome }
                usleep(5000)
            }
            return nil
        }
    }

    let parts = 40

    func peers(_ count: Int, incarnation: UInt64 = 1) -> [PeerID] {
        (0..<count).map { PeerID(worker: "w\($0)", incarnation: incarnation) }
    }

    func digest(_ outcome: ExchangeOutcome?) -> Data? {
        if case .exchanged(_, _, _, let digest) = outcome { digest } else { nil }
    }

    /// Has all sides take part in one pass.
    func exchange(_ sides: [Side], _ peers: [PeerID], pass: Int) {
        let plan = ExchangePlan.toy(peers, endpoints: sides.map(\.endpoint), shards: 7, pass: pass)
        var threads: [Thread] = []
        for (place, side) in sides.enumerated() {
            let reduction = ToyReduction(parts: parts)
            // Later ones hear of the plan later, when others have announced themselves already.
            usleep(20000)
            side.exchange.start(plan, own: peers[place], reduction: reduction)
            let shards = plan.roster[place].shards
            threads.append(Thread { for shard in shards { reduction.compute(shard) } })
        }
        for thread in threads { thread.start() }
        for side in sides { #expect(digest(side.outcome()) == ToyReduction.digest(shards: 7, parts: parts)) }
    }

    @Test(arguments: [1, 2, 3, 4]) func allComeToTheSameSumsPassAfterPass(count: Int) async throws {
        try await onThread {
            let sides = try (0..<count).map { _ in try Side() }
            defer { for side in sides { side.exchange.close() } }
            for pass in 0..<4 {
                exchange(sides, peers(count), pass: pass)
                for side in sides { side.exchange.stop() }
            }
            // One has lost its session meanwhile, and is another to the others.
            var peers = peers(count)
            peers[0].incarnation += 1
            exchange(sides, peers, pass: 4)
        }
    }

    @Test func oneThatGoesAwayIsNamedAndTheOthersGoOnWithoutIt() async throws {
        try await onThread {
            let sides = try (0..<3).map { _ in try Side(patience: .milliseconds(500)) }
            defer { for side in sides { side.exchange.close() } }
            let peers = peers(3)
            let reductions = (0..<3).map { _ in ToyReduction(parts: parts) }
            let plan = ExchangePlan.toy(peers, endpoints: sides.map(\.endpoint), shards: 6)
            for place in 0..<3 {
                sides[place].exchange.start(plan, own: peers[place], reduction: reductions[place])
                // The last contributes half of what it should.
                for shard in plan.roster[place].shards {
                    reductions[place].compute(shard, parts: 0..<(place == 2 ? parts / 2 : parts))
                }
            }
            usleep(300_000)
            sides[2].exchange.close()
            for side in sides[..<2] {
                guard case .failed(_, 0, 1, let lost, _) = side.outcome() else {
                    Issue.record("no failure")
                    return
                }
                #expect(lost == [peers[2]])
            }
            for shard in plan.roster[2].shards { reductions[0].compute(shard) }
            var roster = Array(plan.roster[..<2])
            roster[0].shards += plan.roster[2].shards
            let again = ExchangePlan(pass: 0, attempt: 2, roster: roster)
            for place in 0..<2 { sides[place].exchange.start(again, own: peers[place], reduction: reductions[place]) }
            for side in sides[..<2] { #expect(digest(side.outcome()) == ToyReduction.digest(shards: 6, parts: parts)) }
        }
    }

    @Test func whoNeverAnswersIsNamed() async throws {
        try await onThread {
            let sides = try (0..<2).map { _ in try Side(patience: .milliseconds(500)) }
            defer { for side in sides { side.exchange.close() } }
            let peers = peers(2)
            let plan = ExchangePlan.toy(peers, endpoints: sides.map(\.endpoint), shards: 2)
            sides[0].exchange.start(plan, own: peers[0], reduction: ToyReduction(parts: parts))
            guard case .failed(peers[0], 0, 1, [peers[1]], _) = sides[0].outcome() else {
                Issue.record("no failure")
                return
            }
        }
    }

    /// A shard that came here since the plan counts elsewhere too.
    @Test func anAttemptThatTheCoordinatorHasGivenUpReachesNobody() async throws {
        try await onThread {
            let sides = try (0..<2).map { _ in try Side(patience: .milliseconds(500)) }
            defer { for side in sides { side.exchange.close() } }
            let peers = peers(2)
            let reductions = (0..<2).map { _ in ToyReduction(parts: parts) }
            let plan = ExchangePlan.toy(peers, endpoints: sides.map(\.endpoint), shards: 2)
            for place in 0..<2 { sides[place].exchange.start(plan, own: peers[place], reduction: reductions[place]) }
            reductions[0].compute(1)
            reductions[0].compute(0)
            reductions[1].compute(1)
            usleep(300_000)
            let again = ExchangePlan(
                pass: 0, attempt: 2,
                roster: [.init(peer: peers[0], endpoint: sides[0].endpoint, shards: [0, 1])])
            sides[0].exchange.start(again, own: peers[0], reduction: reductions[0])
            #expect(digest(sides[0].outcome()) == ToyReduction.digest(shards: 2, parts: parts))
        }
    }

    @Test func strangersAreIgnored() async throws {
        try await onThread {
            let sides = try (0..<2).map { _ in try Side() }
            defer { for side in sides { side.exchange.close() } }
            let raw = try RawConnection(sides[0].endpoint)
            raw.send((0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) })
            var options = SocketOptions()
            options.routingID = RoutingID(peer: PeerID(worker: "stranger", incarnation: 1), channel: .control)
            let dealer = try ZeroMQSocket(.dealer, in: ZeroMQContext(), options: options)
            try dealer.connect(sides[0].endpoint)
            var damaged = PeerMessage(.reduced, pass: 0, attempt: 1, part: 1, data: Data([1])).encoded()
            damaged.control[20] ^= 1
            let ready = PeerMessage(.reduced, pass: 0, attempt: 1, part: 1, data: ToyReduction.bytes(1)).encoded()
            for packet in [damaged, ready] {
                let frames = [packet.control, packet.bulk ?? Data()]
                for _ in 0..<100 where try dealer.send(frames) != .sent { usleep(10000) }
            }
            for _ in 0..<100 where try dealer.send([Data(), Data(), Data(), Data(), Data()]) != .sent { usleep(10000) }
            exchange(sides, peers(2), pass: 0)
            raw.close()
        }
    }
}
