import ClusterProtocol
import Foundation
import Messaging
import Tensors
import Testing

/// A worker's side of an exchange, event by event.
@Suite struct ExchangeStateTests {
    let alice = PeerID(worker: "alice", incarnation: 1)
    let bob = PeerID(worker: "bob", incarnation: 1)
    let carol = PeerID(worker: "carol", incarnation: 1)

    func begun(_ peers: [PeerID], parts: Int, attempt: Int = 1) -> (ExchangeState, [ExchangeState.Action]) {
        var state = ExchangeState(own: alice)
        let actions = state.handle(.began(.toy(peers, shards: peers.count, attempt: attempt), parts: parts))
        return (state, actions)
    }

    func message(_ kind: PeerMessage.Kind, part: Int = 0, attempt: Int = 1) -> PeerMessage {
        PeerMessage(kind, pass: 0, attempt: attempt, part: part, data: kind == .ready ? Data() : Data([UInt8(part)]))
    }

    /// What goes to the second participant next.
    func ships(_ state: inout ExchangeState) -> String? {
        state.nextShipment(to: 1).map { "\($0.kind) \($0.part)" }
    }

    @Test func aloneItReducesWhatItCompletes() {
        var (state, actions) = begun([alice], parts: 2)
        #expect(actions == [.beginReducing(part: 0), .beginReducing(part: 1)])
        #expect(state.handle(.completed(part: 1)) == [.reduce(part: 1)])
        #expect(state.handle(.completed(part: 1)).isEmpty)
        #expect(state.handle(.completed(part: 0)) == [.reduce(part: 0), .finish])
        #expect(state.isFinished)
    }

    @Test func partsGoToTheirOwnersInOrderAndComeBackReduced() {
        var (state, actions) = begun([alice, bob], parts: 4)
        #expect(actions == [.announce(to: bob), .beginReducing(part: 0), .beginReducing(part: 2)])
        for part in [3, 1, 0] { _ = state.handle(.completed(part: part)) }
        // Bob does not know of the exchange yet.
        #expect(ships(&state) == nil)
        #expect(state.silentPeers == [bob])
        _ = state.handle(.received(message(.ready), from: bob))
        #expect(state.silentPeers.isEmpty)
        #expect(ships(&state) == "contribution 1")
        #expect(
            state.handle(.received(message(.contribution, part: 0), from: bob)) == [
                .add(Data([0]), part: 0), .reduce(part: 0),
            ])
        // The last contribution comes early enough to be reduced while others are on their way.
        #expect(ships(&state) == "contribution 3")
        #expect(ships(&state) == "reduced 0")
        #expect(ships(&state) == nil)
        #expect(
            state.handle(.received(message(.contribution, part: 2), from: bob)) == [.add(Data([2]), part: 2)])
        #expect(state.handle(.completed(part: 2)) == [.reduce(part: 2)])
        #expect(state.handle(.received(message(.reduced, part: 3), from: bob)) == [.install(Data([3]), part: 3)])
        #expect(
            state.handle(.received(message(.reduced, part: 1), from: bob)) == [.install(Data([1]), part: 1), .finish])
    }

    @Test func whatComesTwiceCountsOnce() {
        var (state, _) = begun([alice, bob, carol], parts: 2)
        #expect(state.handle(.received(message(.contribution, part: 0), from: bob)).count == 1)
        #expect(state.handle(.received(message(.contribution, part: 0), from: bob)).isEmpty)
        _ = state.handle(.completed(part: 0))
        // Carol's is missing yet.
        #expect(!state.isFinished)
        #expect(state.handle(.received(message(.contribution, part: 0), from: carol)).count == 2)
        #expect(state.handle(.received(message(.reduced, part: 1), from: bob)).count == 2)
        #expect(state.handle(.received(message(.reduced, part: 1), from: bob)).isEmpty)
    }

    @Test func onlyOwnersReduceAndOnlyParticipantsSpeak() {
        var (state, _) = begun([alice, bob, carol], parts: 3)
        let stranger = PeerID(worker: "alice", incarnation: 2)
        for sender in [stranger, alice] {
            for kind in [PeerMessage.Kind.ready, .contribution, .reduced] {
                #expect(state.handle(.received(message(kind, part: 0), from: sender)).isEmpty)
            }
        }
        #expect(state.handle(.received(message(.contribution, part: 1), from: carol)).isEmpty)
        #expect(state.handle(.received(message(.reduced, part: 1), from: carol)).isEmpty)
        #expect(state.handle(.received(message(.reduced, part: 7), from: bob)).isEmpty)
        #expect(state.handle(.received(message(.contribution, part: 3), from: bob)).isEmpty)
    }

    @Test func otherAttemptsAreOfNoUse() {
        var (state, _) = begun([alice, bob], parts: 2, attempt: 2)
        for attempt in [1, 3] {
            for kind in [PeerMessage.Kind.ready, .contribution, .reduced] {
                #expect(state.handle(.received(message(kind, part: 0, attempt: attempt), from: bob)).isEmpty)
            }
        }
        #expect(state.silentPeers == [bob])
    }

    /// Bob's announcement came before the plan did, and was lost on this worker.
    @Test func whoeverAnnouncesHimselfIsAnswered() {
        var state = ExchangeState(own: alice)
        #expect(state.handle(.received(message(.ready), from: bob)).isEmpty)
        _ = state.handle(.began(.toy([alice, bob], shards: 2), parts: 1))
        // Bob hears of this worker then, and announces himself again: once, or it would never end.
        #expect(state.handle(.received(message(.ready), from: bob)) == [.announce(to: bob)])
        #expect(state.handle(.received(message(.ready), from: bob)).isEmpty)
    }

    /// As many workers as an exchange is meant for, and messages that overtake each other on different connections. Plans
    /// come at any time.
    @Test(arguments: [(2, 3), (5, 3), (64, 70), (64, 5)]) func allComeToTheSameSums(workers: Int, parts: Int) throws {
        for seed in 0..<3 as Range<UInt64> {
            var random = CounterRandom(key: seed, UInt64(workers))
            let peers = (0..<workers).map { PeerID(worker: "w\($0)", incarnation: 1) }
            let plan = ExchangePlan.toy(peers, shards: workers + 1)
            var states = peers.map { ExchangeState(own: $0) }
            let reductions = peers.map { _ in ToyReduction(parts: parts) }
            var reduced: [Int: Data] = [:]
            var finished = 0
            // By sender and receiver, in order.
            var links: [[Int]: [PeerMessage]] = [:]
            func perform(_ actions: [ExchangeState.Action], _ place: Int) throws {
                for action in actions {
                    switch action {
                    case .announce(let peer):
                        let receiver = try #require(peers.firstIndex(of: peer))
                        links[[place, receiver], default: []].append(PeerMessage(.ready, pass: 0, attempt: 1))
                    case .beginReducing(let part): reductions[place].beginReducing(part: part)
                    case .add(let data, let part): try reductions[place].add(data, to: part)
                    case .reduce(let part): reduced[part] = reductions[place].reduced(part: part)
                    case .install(let data, let part): try reductions[place].install(data, part: part)
                    case .finish:
                        finished += 1
                        let digest = try reductions[place].finish()
                        #expect(digest == ToyReduction.digest(shards: workers + 1, parts: parts))
                    }
                }
                for receiver in peers.indices {
                    while let shipment = states[place].nextShipment(to: receiver) {
                        let data =
                            shipment.kind == .reduced
                            ? reduced[shipment.part] : reductions[place].contribution(part: shipment.part)
                        links[[place, receiver], default: []].append(
                            PeerMessage(shipment.kind, pass: 0, attempt: 1, part: shipment.part, data: data ?? Data()))
                    }
                }
            }
            for participant in plan.roster {
                let place = try #require(peers.firstIndex(of: participant.peer))
                for shard in participant.shards { reductions[place].compute(shard) }
            }
            // What is to happen: plans and parts in any order, but the plan first; messages as they come.
            var waiting = peers.indices.flatMap { place in [(place, -1)] + (0..<parts).map { (place, $0) } }
            var begun: Set<Int> = []
            var keys: [[Int]] = []
            while true {
                keys = links.keys.filter { links[$0]?.isEmpty == false }.sorted { $0.lexicographicallyPrecedes($1) }
                if keys.isEmpty, waiting.isEmpty { break }
                if !waiting.isEmpty, keys.isEmpty || Bool.random(using: &random) {
                    let (place, part) = waiting.remove(at: Int.random(in: waiting.indices, using: &random))
                    if begun.insert(place).inserted {
                        try perform(states[place].handle(.began(plan, parts: parts)), place)
                    }
                    if part >= 0 { try perform(states[place].handle(.completed(part: part)), place) }
                    continue
                }
                let key = try #require(keys.randomElement(using: &random))
                while let message = links[key]?.first {
                    links[key]?.removeFirst()
                    try perform(states[key[1]].handle(.received(message, from: peers[key[0]])), key[1])
                    if Bool.random(using: &random) { break }
                }
            }
            #expect(finished == workers, "seed \(seed)")
        }
    }
}
