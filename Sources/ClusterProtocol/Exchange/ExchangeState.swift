import Foundation
import Messaging

/// A worker's side of an exchange as a value: events in, actions out. It knows which parts are where, and nothing of what is
/// in them, of sockets or clocks.
///
/// Part p belongs to the participant p modulo their number. Everybody sends the owner what its shards contribute, as soon as
/// they have, in the order of the parts; the owner adds it all up in the order of arrival and sends everybody the reduced
/// part. Contributions and reduced parts of different parts are under way at the same time, so that links are busy in both
/// directions from the first complete part to the last.
package struct ExchangeState {
    /// What happens to a participant.
    package enum Event: Sendable {
        /// An attempt begins; a former one is forgotten.
        case began(ExchangePlan, parts: Int)
        /// Each of this worker's shards has added its share of the part.
        case completed(part: Int)
        case received(PeerMessage, from: PeerID)
    }

    /// What a participant is to do.
    package enum Action: Equatable, Sendable {
        /// To say that this worker knows the plan.
        case announce(to: PeerID)
        case beginReducing(part: Int)
        case add(Data, part: Int)
        /// To make the reduced part.
        case reduce(part: Int)
        case install(Data, part: Int)
        /// Every part is reduced or installed.
        case finish
    }

    /// Something to be sent that is not made before there is room for it.
    package struct Shipment: Equatable, Sendable {
        /// A contribution or a reduced part.
        package var kind: PeerMessage.Kind
        /// The part's number.
        package var part: Int
    }

    private struct Part {
        var isComplete = false
        /// Where this worker owns the part: who has contributed.
        var contributors: Set<Int> = []
        /// Reduced here or installed.
        var isDone = false
    }

    private let own: PeerID
    /// Of the attempt that runs; nil before the first.
    package private(set) var plan: ExchangePlan?
    private var ownIndex = 0
    private var parts: [Part] = []
    private var partsDone = 0
    /// By place in the roster: who takes parts.
    private var ready: Set<Int> = []
    /// By place in the roster: reduced parts that are still to be sent, and the next of the receiver's parts to contribute to.
    private var reduced: [[Int]] = []
    private var nextContribution: [Int] = []
    private var actions: [Action] = []

    /// A participant without an attempt.
    package init(own: PeerID) {
        self.own = own
    }

    /// Takes an event in.
    /// - Returns: what is to be done, in this order.
    package mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .began(let plan, let parts): begin(plan, parts)
        case .completed(let part): complete(part)
        case .received(let message, let sender): receive(message, from: sender)
        }
        defer { actions.removeAll() }
        return actions
    }

    private mutating func begin(_ plan: ExchangePlan, _ count: Int) {
        guard let index = plan.roster.firstIndex(where: { $0.peer == own }) else {
            preconditionFailure("a plan without this worker")
        }
        self.plan = plan
        ownIndex = index
        parts = [Part](repeating: Part(), count: count)
        partsDone = 0
        ready = []
        reduced = [[Int]](repeating: [], count: plan.roster.count)
        nextContribution = Array(plan.roster.indices)
        for (place, participant) in plan.roster.enumerated() where place != index {
            actions.append(.announce(to: participant.peer))
        }
        for part in stride(from: index, to: count, by: plan.roster.count) { actions.append(.beginReducing(part: part)) }
        if count == 0 { actions.append(.finish) }
    }

    private func owner(of part: Int) -> Int { part % max(plan?.roster.count ?? 1, 1) }

    private mutating func complete(_ part: Int) {
        guard parts.indices.contains(part), !parts[part].isComplete else { return }
        parts[part].isComplete = true
        reduceIfWhole(part)
    }

    private mutating func receive(_ message: PeerMessage, from sender: PeerID) {
        // Of a former attempt; or of a later one, whose plan will come: then the sender was not told that we are ready.
        guard let plan, message.pass == plan.pass, message.attempt == plan.attempt,
            let place = plan.roster.firstIndex(where: { $0.peer == sender }), place != ownIndex
        else { return }
        switch message.kind {
        case .ready:
            // It may have missed this worker's announcement: it had no plan then. That it is announced again tells it, and it
            // answers at most once.
            if ready.insert(place).inserted { actions.append(.announce(to: sender)) }
        case .contribution:
            guard parts.indices.contains(message.part), owner(of: message.part) == ownIndex,
                parts[message.part].contributors.insert(place).inserted
            else { return }
            actions.append(.add(message.data, part: message.part))
            reduceIfWhole(message.part)
        case .reduced:
            guard parts.indices.contains(message.part), owner(of: message.part) == place, !parts[message.part].isDone
            else { return }
            actions.append(.install(message.data, part: message.part))
            markDone(message.part)
        }
    }

    private mutating func reduceIfWhole(_ part: Int) {
        guard let plan, owner(of: part) == ownIndex, parts[part].isComplete, !parts[part].isDone,
            parts[part].contributors.count == plan.roster.count - 1
        else { return }
        actions.append(.reduce(part: part))
        for place in plan.roster.indices where place != ownIndex { reduced[place].append(part) }
        markDone(part)
    }

    private mutating func markDone(_ part: Int) {
        parts[part].isDone = true
        partsDone += 1
        if partsDone == parts.count { actions.append(.finish) }
    }

    /// What is to be sent to a participant next; nil where there is nothing now. Contributions go first: something can be made
    /// of them. Behind reduced parts, the last of them would come late, and all links stand still while they are reduced.
    package mutating func nextShipment(to place: Int) -> Shipment? {
        guard let plan, place != ownIndex, ready.contains(place) else { return nil }
        let part = nextContribution[place]
        if part < parts.count, parts[part].isComplete {
            nextContribution[place] += plan.roster.count
            return Shipment(kind: .contribution, part: part)
        }
        guard !reduced[place].isEmpty else { return nil }
        return Shipment(kind: .reduced, part: reduced[place].removeFirst())
    }

    /// Whether every part is reduced or installed.
    package var isFinished: Bool { partsDone == parts.count }

    /// Participants that have not said that they know the plan.
    package var silentPeers: [PeerID] {
        guard let plan else { return [] }
        return plan.roster.indices.filter { $0 != ownIndex && !ready.contains($0) }.map { plan.roster[$0].peer }
    }
}
